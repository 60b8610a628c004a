"""What a host knows of its slots, when the files that say so are empty or gone."""

from tests.unit.declared import declared
from tests.unit.world import World, deployed

SET = declared("a:1b", "x:1b", slot2_num_ctx=8192)
UNSET = declared("a:1b", None, slot2_num_ctx=8192)


def test_the_users_own_slot_keeps_its_model_though_its_state_is_lost() -> None:
    """Nothing declares what it holds: it is known by what Ollama says that its variant was made from."""
    world = deployed(SET)
    was = world.states.pop("two")
    steps = [str(it) for it in world.deploy(UNSET)]
    assert steps == ["slot two: x:1b at 8192 tokens, made again: its state is unknown"]
    assert world.states["two"].model_copy(update={"made": was.made}) == was
    assert world.evicted == world.unloaded == []
    assert world.faults(UNSET) == {}


def test_a_model_of_that_name_that_somebody_made_is_not_taken_for_a_slots() -> None:
    world = deployed(declared("a:1b"))
    world.pull("x:1b")
    world.create("two:latest", "FROM x:1b\nPARAMETER num_ctx 8192\n")
    assert world.deploy(UNSET) == []


def test_the_record_of_a_base_is_kept_by_the_slots_that_are_made_of_it() -> None:
    world = deployed(declared("old:1b"))
    deployed(declared("a:1b"), world)
    known = world.found().bases
    assert set(known) == {f"registry.ollama.ai/library/{name}" for name in ("old:1b", "a:1b")}
    world.bases.clear()
    assert world.found().bases == known
    world.pull("a:1b")  # by somebody else, who makes it theirs
    assert set(world.found().bases) == {"registry.ollama.ai/library/old:1b"}


def test_a_base_that_was_there_before_is_in_no_slots_record() -> None:
    world = World()
    world.pull("a:1b")
    deployed(declared("a:1b"), world)
    assert world.found().bases == {}

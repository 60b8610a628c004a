"""What a run that was killed in a rotation left behind."""

import pytest

from ollama_slots.core.steps import Remove, Rotate
from tests.unit.declared import declared
from tests.unit.world import Loaded, World, deployed

ABC = declared("a:1b", "b:1b", "c:1b")


PUT_BACK = "put two:current back, its rotation was interrupted"


def cut_off(base: str) -> World:
    """A host on which the rotation of slot two died with its candidate made."""
    world = deployed(ABC)
    world.pull(base)
    world.create("two:current", f"FROM {base}\nPARAMETER num_ctx 2048\n")
    return world


def test_a_candidate_left_behind_makes_way_before_anything_is_made() -> None:
    world = cut_off("old:1b")
    assert world.plan(declared("a:1b", "b:1b", "a:1b"))[0] == Remove(
        PUT_BACK, unload="two:current", put_back="two"
    )
    world.deploy(ABC)
    assert world.tags["two:current"] == world.tags["two:latest"]
    assert world.settled(ABC)


@pytest.mark.parametrize("base", ["a:1b", "b:1b"])
def test_a_candidate_left_behind_is_not_unloaded_with_the_weights_of_a_slot(base: str) -> None:
    assert cut_off(base).plan(ABC) == [Remove(PUT_BACK, put_back="two")]


def test_what_was_previous_stays_so_where_a_rotation_died() -> None:
    world = deployed(declared("a:1b", "first:1b", "c:1b"))
    world.deploy(ABC)
    previous = world.tags["two:previous"]
    world.pull("old:1b")
    world.create("two:current", "FROM old:1b\nPARAMETER num_ctx 4096\n")
    world.deploy(ABC)
    assert world.tags["two:previous"] == previous
    assert world.settled(ABC)


def test_the_old_weights_of_a_run_that_died_are_unloaded() -> None:
    world = deployed(ABC)
    world.pull("old:1b")
    world.create("two:previous", "FROM old:1b\nPARAMETER num_ctx 4096\n")
    world.load("two:previous")
    assert world.plan(ABC) == [Remove("unload two:previous, no slot uses it", unload="two:previous")]
    world.deploy(ABC)
    assert world.settled(ABC)
    assert "two:previous" in world.tags  # it stays for a rollback


@pytest.mark.parametrize("shared", [False, True], ids=["", "the slot was on that runner"])
def test_what_somebody_loaded_by_another_name_is_left_alone_though_a_slot_had_its_weights_before(
    shared: bool,
) -> None:
    """Unloaded, it would be back with its client's next request, and the step needed again."""
    world, now = deployed(ABC), declared("a:1b", "new:1b", "c:1b")
    world.deploy(now)
    if shared:
        world.previous["two"] = world.previous["two"].model_copy(update={"loaded": world.tags["b:1b"].digest})
    world.load("b:1b")
    assert world.settled(now)
    changed = declared("a:1b", "new:1b", "c:1b", slot1_system="Be brief.")
    assert [it.target.slot.name for it in world.plan(changed) if isinstance(it, Rotate)] == ["one"]
    assert len(world.plan(changed)) == 1
    world.deploy(changed)
    assert world.tags["b:1b"].weights in world.runners


def test_what_a_dead_rotation_left_is_known_though_it_was_loaded_by_an_earlier_variant() -> None:
    """A runner keeps the digest by which it was loaded, for as long as weights and window are the same."""
    world = deployed(ABC)
    world.deploy(declared("a:1b", "b:1b", "c:1b", slot2_system="Be brief."))
    now = declared("a:1b", "new:1b", "c:1b")
    before = dict(world.runners)
    world.deploy(now)
    world.runners |= {weights: it for weights, it in before.items() if weights == world.tags["b:1b"].weights}
    assert not world.settled(now)
    assert world.plan(now) == [Remove("unload two:previous, no slot uses it", unload="two:previous")]


@pytest.mark.parametrize("by_hand", ["anew", "away"])
def test_what_a_slot_had_loaded_before_somebody_took_its_name_is_unloaded(by_hand: str) -> None:
    """Nothing but its state knows of it, and its state will be of the model that is declared now."""
    world, wanted = deployed(ABC), declared("a:1b", "d:1b", "c:1b")
    world.pull("d:1b")
    del world.tags["two:current"]
    if by_hand == "anew":
        world.create("two:latest", "FROM a:1b\nPARAMETER num_ctx 4096\n")
    else:
        del world.tags["two:latest"]
    left = Remove("unload b:1b, no slot uses it: two was changed by hand", unload="b:1b")
    assert world.plan(wanted)[0] == left
    assert left not in world.plan(ABC), "it is what the slot is to have"
    world.deploy(wanted)
    assert world.settled(wanted)
    assert world.tags["b:1b"].weights not in world.runners


def test_the_old_weights_stay_where_another_slot_uses_them() -> None:
    world = deployed(ABC)
    world.create("two:previous", "FROM a:1b\nPARAMETER num_ctx 1024\n")
    world.runners[world.tags["a:1b"].weights] = Loaded("two:previous", world.tags["two:previous"].digest, 4096, 1)
    assert world.plan(ABC) == []


def test_the_old_weights_of_a_run_that_died_are_unloaded_though_the_slot_changes_again() -> None:
    """The rotation that follows moves NAME:previous on, and nobody could tell what the runner is any more."""
    world = deployed(ABC)
    world.pull("old:1b")
    world.create("two:previous", "FROM old:1b\nPARAMETER num_ctx 4096\n")
    world.load("two:previous")
    world.deploy(declared("a:1b", "new:1b", "c:1b"))
    assert world.tags["old:1b"].weights not in world.runners

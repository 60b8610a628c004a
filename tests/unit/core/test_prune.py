"""What can go of what this tool brought, and what stays."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.core.prune import lines
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Remove
from tests.unit.complaint import complaint
from tests.unit.declared import declared
from tests.unit.store import SMALL, can_go, prune, rows, stays, steps
from tests.unit.world import GB, World, deployed

ONE, TWO = declared("a:1b"), declared("a:1b", "b:1b")
MADE_OF_B = "FROM b:1b\nPARAMETER num_ctx 1024\n"
YES: dict[str, Any] = {"prune_previous": True}


def moved_on(**data: Any) -> World:
    """A host whose slot one had old:1b, and has a:1b."""
    return deployed(declared("a:1b", **data), deployed(declared("old:1b")))


def test_where_all_that_was_brought_is_declared_there_is_nothing_to_say() -> None:
    assert rows(deployed(TWO), TWO) == []


def test_a_base_that_nothing_declares_goes_with_all_its_bytes() -> None:
    world = deployed(ONE)
    world.apply(World().plan(declared("b:1b"))[0])
    assert can_go(world, ONE) == {"b:1b": GB + SMALL}
    assert prune(world, ONE) == [
        Remove("remove b:1b: no slot has it as its base", unload="b:1b", delete=("b:1b",))
    ]
    assert "b:1b" not in world.tags
    assert world.bases.keys() == {"a:1b"}
    assert world.settled(ONE)


def test_a_base_that_someone_else_pulled_is_not_spoken_of() -> None:
    world = deployed(ONE)
    world.pull("b:1b")
    assert rows(world, ONE) == []


def test_a_base_that_was_there_before_a_deploy_is_not_ours() -> None:
    world = World()
    world.pull("b:1b")
    deployed(TWO, world)
    assert "b:1b" not in rows_by_name(world)


def test_nor_is_one_of_someone_elses_that_a_deploy_repaired() -> None:
    world = World()
    world.pull("b:1b")
    world.lost.add(world.tags["b:1b"].weights)
    deployed(TWO, world)
    assert world.bases.keys() == {"a:1b"}


def test_one_of_ours_that_a_deploy_repaired_is_still_ours() -> None:
    world = deployed(TWO)
    world.restart()
    world.lost.add(world.tags["b:1b"].weights)
    deployed(TWO, world)
    assert set(can_go(world, ONE)) == {"two", "b:1b"}


def test_one_that_someone_else_pulled_again_is_theirs_though_nothing_in_it_changed() -> None:
    world = deployed(declared("a:1b", "none"), deployed(TWO))
    world.pull("b:1b")
    assert stays(world, ONE) == {"b:1b": "someone else has pulled it since"}
    assert steps(world, ONE) == []


def test_one_that_someone_removed_and_pulled_again_is_theirs_too() -> None:
    world = deployed(declared("a:1b", "none"), deployed(TWO))
    del world.tags["b:1b"]
    assert rows(world, ONE) == []
    world.pull("b:1b")
    assert steps(world, ONE) == []


def test_names_are_the_engines_own() -> None:
    """``x`` is ``x:latest``, and case does not count."""
    world = deployed(declared("x"))
    assert rows(world, declared("X:latest")) == []
    assert rows(world, declared("library/x")) == []


def test_two_tags_of_the_same_weights_are_two_names_and_count_once() -> None:
    world = World()
    for name in ("x:16b", "x:latest"):
        world.publish(name, weights="x")
    deployed(declared("x:16b", "x"), world)
    prune(world, declared("x:16b", "none"))
    deployed(declared("x:16b", "none"), world)
    assert can_go(world, declared("x:16b")) == {"x:latest": SMALL}
    assert steps(world, declared("x:16b"))[0].unload is None
    deployed(declared("a:1b", "none"), world)
    assert sum(can_go(world, declared("a:1b", **YES)).values()) == GB + 4 * SMALL - SMALL
    assert prune(world, declared("a:1b", **YES))[-1].unload is not None
    assert not [name for name in world.tags if name.startswith("x")]


def test_a_base_stays_while_a_slot_that_was_not_deployed_yet_is_made_of_it() -> None:
    world = deployed(ONE)
    assert stays(world, declared("new:1b")) == {"a:1b": "one:latest is made from it"}
    assert steps(world, declared("new:1b")) == []


def test_a_base_stays_while_what_is_kept_for_a_rollback_is_made_of_it() -> None:
    world = moved_on()
    assert stays(world, ONE) == {
        "one:previous": "kept for a rollback; --data prune_previous=true removes it too",
        "old:1b": "one:previous is made from it",
    }
    assert steps(world, ONE) == []


def test_what_was_kept_for_a_rollback_goes_by_choice_and_its_base_after_it() -> None:
    world, wanted = moved_on(), declared("a:1b", **YES)
    assert can_go(world, wanted) == {"one:previous": SMALL, "old:1b": GB + SMALL}
    assert [it.delete for it in prune(world, wanted)] == [("one:previous",), ("old:1b",)]
    assert world.previous == {}
    assert set(world.states) == {"one"}
    assert world.settled(ONE)
    assert world.faults(ONE) == {}


def test_what_is_the_same_as_what_serves_is_of_no_earlier_rotation() -> None:
    assert rows(deployed(ONE), declared("a:1b", **YES)) == []


def test_what_someone_else_put_in_its_place_stays() -> None:
    world = moved_on()
    world.create("one:previous", "FROM a:1b\nPARAMETER num_ctx 512\n")
    assert stays(world, declared("a:1b", **YES)) == {"one:previous": "one:previous was changed by someone else"}


def test_a_slot_that_left_the_data_goes_whole_and_then_its_base() -> None:
    world = deployed(TWO)
    [slot, base] = steps(world, ONE)
    assert slot == Remove(
        "remove two: no slot has this name",
        unload="two:latest",
        delete=("two:latest", "two:current"),
        forget="two",
    )
    assert base.delete == ("b:1b",)
    assert can_go(world, ONE) == {"two": SMALL, "b:1b": GB + SMALL}
    prune(world, ONE)
    assert set(world.tags) == {"a:1b", "one:latest", "one:current"}
    assert set(world.states) == {"one"}
    assert set(world.runners) == {world.tags["a:1b"].weights}
    assert world.settled(ONE)


def test_its_base_stays_where_another_slot_is_to_have_it() -> None:
    world = deployed(TWO)
    assert [it.forget for it in steps(world, declared("b:1b"))] == ["two"]


def test_a_runner_that_another_slot_answers_with_is_not_ended() -> None:
    world = deployed(declared("a:1b", "a:1b"))
    assert steps(world, ONE)[0].unload is None
    prune(world, ONE)
    assert world.faults(ONE) == {}


def test_a_runner_is_ended_though_what_was_kept_of_it_shares_a_slots() -> None:
    """A slot's NAME and NAME:previous are of different weights: the runner is that of NAME."""
    world = deployed(TWO, deployed(declared("a:1b", "a:1b")))
    assert steps(world, ONE)[0].unload == "two:latest"


def test_a_slot_goes_on_knowing_a_runner_that_the_one_that_goes_has_loaded() -> None:
    """Else it would count as not in memory, and be loaded again while its users wait."""
    world = deployed(ONE)
    world.restart()
    deployed(declared("a:1b", "a:1b", slot2_system="Be brief."), world)
    assert [it.digest for it in world.runners.values()] == [world.tags["two:latest"].digest]
    prune(world, ONE)
    assert world.faults(ONE) == {}
    assert deployed(ONE, world).reloaded == []


def test_a_slot_that_is_declared_in_another_case_is_declared() -> None:
    for one, other in (("one", "One"), ("One", "one")):
        world = deployed(declared("a:1b", slot1_name=one))
        assert rows(world, declared("a:1b", slot1_name=other)) == []


def test_the_last_of_several_that_go_ends_the_runner_that_they_share() -> None:
    world = deployed(declared("a:1b", "b:1b", "b:1b"))
    assert [it.unload for it in steps(world, ONE)] == [None, "two:latest", "b:1b"]
    prune(world, ONE)
    assert set(world.runners) == {world.tags["a:1b"].weights}


def test_a_slot_whose_variant_someone_else_changed_stays_whole_and_is_spoken_of() -> None:
    world = deployed(TWO)
    world.create("two:latest", MADE_OF_B)
    assert stays(world, ONE) == {
        "two": "two:latest was changed by someone else",
        "b:1b": "two:latest is made from it",
    }
    assert steps(world, ONE) == []


def test_a_slot_of_which_nothing_is_left_but_its_files_goes() -> None:
    world = deployed(TWO)
    del world.tags["two:latest"], world.tags["two:current"]
    assert steps(world, ONE)[0] == Remove("remove two: no slot has this name", forget="two")
    prune(world, ONE)
    assert set(world.states) == {"one"}


def test_a_base_stays_while_a_model_of_someone_elses_is_made_of_it() -> None:
    world = deployed(TWO)
    world.create("mine:latest", MADE_OF_B)
    assert stays(world, ONE) == {"b:1b": "mine:latest is made from it"}
    assert can_go(world, ONE) == {"two": SMALL}


def test_a_slot_stays_while_a_model_of_someone_elses_is_made_of_it_and_so_does_its_base() -> None:
    world = deployed(TWO)
    world.create("mine:latest", "FROM two:latest\nPARAMETER num_ctx 512\n")
    assert stays(world, ONE) == {"two": "mine:latest is made from it", "b:1b": "two:latest is made from it"}
    assert steps(world, ONE) == []


def test_a_name_of_someone_elses_for_the_same_weights_keeps_the_bytes_and_its_runner() -> None:
    world = deployed(declared("a:1b", "none"), deployed(TWO))
    world.publish("theirs:1b", weights="b:1b")
    world.pull("theirs:1b")
    world.load("theirs:1b")
    assert can_go(world, ONE) == {"b:1b": SMALL}
    prune(world, ONE)
    assert world.tags["theirs:1b"].weights in world.runners


def test_slot_4_without_a_model_has_its_base_and_an_emptied_one_has_none() -> None:
    world = deployed(TWO)
    unset, emptied = declared("a:1b", None), declared("a:1b", "none")
    assert rows(world, unset) == []
    assert stays(world, emptied) == {"b:1b": "two:latest is made from it"}  # until a deploy has emptied it
    deployed(emptied, world)
    assert set(can_go(world, unset)) == {"b:1b"}


def test_a_rotation_that_was_cut_off_is_a_deploys_to_make_good() -> None:
    world = deployed(TWO)
    world.create("two:current", MADE_OF_B.replace("4096", "512"))
    assert complaint(rows, world, ONE) == "the rotation of two was interrupted: deploy first"


def test_the_listing_is_name_bytes_and_why() -> None:
    world = deployed(TWO)
    world.create("mine:latest", MADE_OF_B)
    assert lines(ONE, rows(world, ONE)) == [
        "name   bytes  why",
        "two      500  no slot has this name",
        "b:1b   stays  mine:latest is made from it",
        "total    500  1 can go: --data prune=true removes them",
    ]


NOT_FINISHED = "its pull is unfinished, and no slot has it as its base"
GOES_ON = "its pull is running, or someone else resumed it"


def cut_off(**records: str) -> World:
    """A host with slot one, on which pulls have left 300 bytes in each of some blobs at time 7.0."""
    world = deployed(ONE)
    world.unfinished = {f"sha256:{blob}": f"7.0 300 {record}" for blob, record in records.items()}
    return world


def test_what_was_pulled_in_part_goes_with_all_its_blobs() -> None:
    world = cut_off(b1="b:1b 7.0", b2="b:1b 7.0", c="c:1b 7.0")
    assert can_go(world, ONE) == {"b:1b": 600, "c:1b": 300}
    assert [(it.why, it.discard) for it in prune(world, ONE)] == [
        (f"remove b:1b: {NOT_FINISHED}", ("sha256:b1", "sha256:b2")),
        (f"remove c:1b: {NOT_FINISHED}", ("sha256:c",)),
    ]
    assert world.unfinished == {}
    assert world.settled(ONE)


def test_what_a_slot_is_to_be_made_of_is_for_the_next_pull_to_go_on_from() -> None:
    world = cut_off(b="B:1b 7.0")
    assert rows(world, TWO) == []


def test_what_someone_goes_on_with_stays() -> None:
    world = cut_off(b1="b:1b 6.0", b2="b:1b 7.0", c="c:1b")
    assert stays(world, ONE) == {"b:1b": GOES_ON, "c:1b": GOES_ON}
    assert can_go(world, ONE) == {"b:1b": 300}
    assert prune(world, ONE)[0].discard == ("sha256:b2",)


def test_what_is_a_models_by_now_is_not_spoken_of() -> None:
    world = deployed(ONE)
    world.unfinished = {f"sha256:{world.tags['a:1b'].weights}": "7.0 300 b:1b 7.0"}
    assert rows(world, ONE) == []


def rows_by_name(world: World) -> set[str]:
    return {row.name for row in rows(world, ONE)}


MODELS = ["a:1b", "b:1b", "twin:1b", None, "none"]
DECLARED = st.lists(st.sampled_from(MODELS), min_size=1, max_size=3)
THEIRS = st.lists(
    st.sampled_from(["pull b:1b", "pull a:1b", "make mine", "change two", "lose two", "restart it"]), max_size=3
)


def they(world: World, what: str) -> set[str]:
    """Something that other people do; the names that are theirs by it."""
    verb, name = what.split()
    if verb == "pull":
        world.pull(name)
        return {name}
    of = next((it for it in ("two:latest", "b:1b", "a:1b") if it in world.tags), None)
    if verb == "make" and of:
        world.create("mine:latest", f"FROM {of}\nPARAMETER num_ctx 512\n")
        return {"mine:latest"}
    if verb == "change" and "a:1b" in world.tags:
        world.create("two:latest", "FROM a:1b\nPARAMETER num_ctx 300\n")
        return {"two:latest"}
    if verb == "restart":
        world.restart()
    if verb == "lose":
        world.states.pop("two", None)
    return set()


def made(world: World, wanted: Settings) -> set[str]:
    """What a deploy would pull and make; what it would unload for that, a removal may have unloaded."""
    return {str(it).partition(",")[0] for it in world.plan(wanted) if not isinstance(it, Remove)}


@given(st.lists(st.tuples(DECLARED, THEIRS), min_size=1, max_size=4), DECLARED, st.booleans())
def test_it_takes_nothing_that_a_slot_needs_or_that_someone_else_brought(
    history: list[tuple[list[str | None], list[str]]], last: list[str | None], previous: bool
) -> None:
    world, theirs = World(), set[str]()
    world.publish("twin:1b", weights="a:1b")
    for models, events in history:
        deployed(declared(*models), world)
        theirs = {name for name in theirs if name not in ("two:latest", "one:latest")}  # a deploy makes them anew
        theirs |= {name for event in events for name in they(world, event)}
    wanted = declared(*last, prune_previous=previous)
    names = {slot.name for slot in wanted.slots}
    before, plan, faults = dict(world.tags), made(world, wanted), world.faults(wanted)
    freed, weights = sum(can_go(world, wanted).values()), {it.weights for it in world.tags.values()}

    taken = prune(world, wanted)
    assert all(world.tags[name] == before[name] for name in theirs)
    assert all(world.tags.get(f"{name}:latest") == before.get(f"{name}:latest") for name in names)
    assert made(world, wanted) == plan
    assert world.faults(wanted) == faults
    assert all(not it.made_of or it.made_of in world.tags for it in world.tags.values())
    gone, lost = len(before) - len(world.tags), weights - {it.weights for it in world.tags.values()}
    assert freed <= len(lost) * GB + gone * SMALL
    assert freed >= len(lost) * GB
    assert bool(taken) == (gone > 0 or any(it.forget for it in taken))

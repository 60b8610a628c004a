"""A slot that is the user's own: left as it is unless it is set or emptied."""

import pytest

from ollama_slots.core.steps import Remove, Rotate
from tests.unit.declared import declared
from tests.unit.world import deployed

UNSET, SET, EMPTIED = (declared("a:1b", model) for model in (None, "x:1b", "none"))


def test_never_set_it_is_nothing() -> None:
    world = deployed(UNSET)
    assert set(world.states) == {"one"}
    assert world.settled(UNSET)


def test_once_set_it_stays_as_the_user_set_it() -> None:
    world = deployed(SET)
    assert world.settled(UNSET)
    assert world.plan(UNSET) == []
    assert world.faults(UNSET) == {}


def test_its_window_and_its_system_prompt_are_data_all_the_same() -> None:
    world = deployed(SET)
    [step] = world.plan(declared("a:1b", None, slot2_num_ctx=8192))
    assert isinstance(step, Rotate)
    assert "its Modelfile changed" in step.why
    assert (step.target.model, step.target.num_ctx) == ("x:1b", 8192)


def test_it_is_warmed_and_proven_as_every_other() -> None:
    world = deployed(SET)
    world.restart()
    assert world.faults(UNSET) == {"one": "not in memory", "two": "not in memory"}


def test_emptied_it_is_unloaded_deleted_and_forgotten() -> None:
    world = deployed(SET)
    assert world.plan(EMPTIED) == [
        Remove("slot two: empty it", unload="two:latest", delete=("two:latest", "two:current"), forget="two")
    ]
    world.deploy(EMPTIED)
    assert set(world.tags) == {"a:1b", "one:latest", "one:current", "x:1b"}  # the base is the user's to delete
    assert set(world.states) == {"one"}
    assert [it.name for it in world.runners.values()] == ["one:current"]
    assert world.settled(EMPTIED)
    assert world.settled(UNSET)


def test_emptied_it_loses_what_was_kept_for_a_rollback_too() -> None:
    world = deployed(declared("a:1b", "y:1b"), deployed(SET))
    [step] = world.plan(EMPTIED)
    assert isinstance(step, Remove)
    assert step.delete == ("two:latest", "two:current", "two:previous")


def test_emptied_it_does_not_unload_what_another_slot_uses() -> None:
    world = deployed(declared("a:1b", "a:1b"))
    [step] = world.plan(EMPTIED)
    assert isinstance(step, Remove)
    assert step.unload is None


def test_emptied_it_does_not_unload_what_another_slot_still_serves() -> None:
    """That one is about to get another model; until it has it, it answers with the old one."""
    world = deployed(declared("x:1b", "x:1b"))
    world.pull("a:1b")
    [step] = [it for it in world.plan(EMPTIED) if isinstance(it, Remove)]
    assert isinstance(step, Remove)
    assert step.unload is None


def test_emptied_it_leaves_no_weights_of_a_run_that_died() -> None:
    """Without NAME:previous nothing could name them any more."""
    world = deployed(SET)
    world.pull("old:1b")
    world.create("two:previous", "FROM old:1b\nPARAMETER num_ctx 4096\n")
    world.load("two:previous")
    world.deploy(EMPTIED)
    assert set(world.runners) == {world.tags["a:1b"].weights}


def test_emptied_it_does_not_make_another_slot_a_stranger_to_its_own_runner() -> None:
    """That one gets the weights that this one loaded; reloading them would keep its users waiting."""
    world = deployed(declared("a:1b", "x:1b"))
    deployed(declared("x:1b", "none", slot1_system="Be brief."), world)
    assert world.reloaded == []


def test_emptied_though_its_state_is_lost() -> None:
    world = deployed(SET)
    del world.states["two"]
    world.deploy(EMPTIED)
    assert "two:latest" not in world.tags


def test_empty_it_stays_empty() -> None:
    assert deployed(EMPTIED).settled(EMPTIED)


@pytest.mark.parametrize("lost", [True, False])
def test_what_it_holds_is_not_unloaded_for_another_slots_sake(lost: bool) -> None:
    """Not even where its state is lost, so that nothing but its name tells that it is a slot."""
    world = deployed(declared("x:1b", "x:1b"))
    if lost:
        del world.states["two"]
    world.deploy(UNSET)
    assert world.tags["x:1b"].weights in world.runners

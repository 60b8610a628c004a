from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Pull, Rotate
from tests.unit.declared import declared
from tests.unit.world import MODELFILES, World, deployed

ABC = declared("a:1b", "b:1b", "c:1b")


def told(world: World, settings: Settings) -> list[str]:
    return [str(step) for step in world.plan(settings)]


def test_on_a_fresh_host_every_base_is_pulled_first() -> None:
    assert World().plan(ABC) == [Pull("a:1b", ("one",)), Pull("b:1b", ("two",)), Pull("c:1b", ("three",))]


def test_a_base_of_two_slots_is_pulled_once() -> None:
    [pull] = World().plan(declared("a:1b", "library/A:1B"))
    assert pull == Pull("a:1b", ("one", "two"))
    assert str(pull) == "pull a:1b, for slot one and two"


def test_with_every_base_there_each_variant_is_made_in_order_of_slots() -> None:
    world = World()
    for name in ("c:1b", "b:1b", "a:1b"):
        world.pull(name)
    for line, name, base in zip(told(world, ABC), ("one", "two", "three"), ("a:1b", "b:1b", "c:1b"), strict=True):
        assert line == f"slot {name}: {base} at 4096 tokens, made"


def test_what_is_as_declared_needs_no_step_and_no_details() -> None:
    world = deployed(ABC)
    assert world.settled(ABC)
    assert world.plan(ABC) == []


def test_after_a_restart_there_is_nothing_to_make_though_nothing_is_resident() -> None:
    world = deployed(ABC)
    world.restart()
    assert not world.settled(ABC)
    assert world.plan(ABC) == []


def test_a_base_that_was_deleted_is_pulled_again() -> None:
    world = deployed(ABC)
    del world.tags["b:1b"]
    assert world.plan(ABC) == [Pull("b:1b", ("two",))]


def test_a_base_without_its_weights_is_pulled_again() -> None:
    """The engine goes on listing a model whose blob is gone, and showing it, where it has read it before."""
    world = deployed(ABC)
    world.restart()
    weights = world.tags["b:1b"].weights
    world.details(["b:1b"])
    world.lost.add(weights)
    assert world.plan(ABC) == [Pull("b:1b", ("two",), damaged=(weights,))]
    world.restart()
    assert world.plan(ABC) == [Pull("b:1b", ("two",))]
    world.deploy(ABC)
    world.warm_up()
    assert world.faults(ABC) == {}


def forget_state(world: World) -> None:
    del world.states["two"]


def delete_variant(world: World) -> None:
    del world.tags["two:latest"]


def edit_modelfile(world: World) -> None:
    world.files[f"{MODELFILES}/two.Modelfile"] = "0" * 64


def lose_modelfile(world: World) -> None:
    del world.files[f"{MODELFILES}/two.Modelfile"]


def change_variant(world: World) -> None:
    world.create("two:latest", "FROM b:1b\nPARAMETER num_ctx 1024\n")


def move_base(world: World) -> None:
    world.publish("b:1b", weights="b, the second edition")
    world.pull("b:1b")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (forget_state, "made again: its state is unknown"),
        (delete_variant, "made"),
        (edit_modelfile, "its Modelfile written again"),
        (lose_modelfile, "its Modelfile written again"),
        (change_variant, "made again: it was changed by hand"),
        (move_base, "made again: its base moved"),
    ],
)
def test_what_was_damaged_is_made_again_and_nothing_else(damage: Callable[[World], None], why: str) -> None:
    world = deployed(ABC)
    damage(world)
    [line] = told(world, ABC)
    assert line.removesuffix(", the old one unloaded after") == f"slot two: b:1b at 4096 tokens, {why}"
    world.deploy(ABC)
    world.warm_up()
    assert world.plan(ABC) == []
    assert world.faults(ABC) == {}


@pytest.mark.parametrize(
    ("then", "why", "what"),
    [
        (declared("a:1b", "a:1b", "c:1b"), "in place of b:1b", "a:1b at 4096 tokens"),
        (
            declared("a:1b", "b:1b", "c:1b", slot2_num_ctx=8192),
            "made again: its Modelfile changed",
            "b:1b at 8192 tokens",
        ),
        (
            declared("a:1b", "b:1b", "c:1b", slot2_system="Brief."),
            "made again: its Modelfile changed",
            "b:1b at 4096 tokens",
        ),
    ],
)
def test_what_is_declared_otherwise_is_made_and_nothing_else(then: Settings, why: str, what: str) -> None:
    world = deployed(ABC)
    [step] = world.plan(then)
    assert isinstance(step, Rotate)
    assert step.target.slot.name == "two"
    assert str(step).removesuffix(", the old one unloaded after") == f"slot two: {what}, {why}"


def test_a_new_model_is_pulled_while_every_slot_stays_as_it_is() -> None:
    assert deployed(ABC).plan(declared("new:1b", "b:1b", "c:1b", slot2_num_ctx=8192)) == [Pull("new:1b", ("one",))]


def test_the_step_carries_what_the_state_file_will_say() -> None:
    world = deployed(ABC)
    [step] = world.plan(declared("a:1b", "b:1b", "a:1b"))
    assert isinstance(step, Rotate)
    assert step.state.model == "a:1b"
    assert step.state.base == world.tags["a:1b"].digest
    assert step.state.weights == world.tags["a:1b"].weights
    # The variant's digest is the host's to add.
    assert [it.partition("=")[0] for it in step.state.lines().splitlines()[-2:]] == ["context", "brought"]
    assert step.state.context == 4096


def test_models_that_are_not_ours_are_left_alone() -> None:
    world = deployed(ABC)
    world.pull("theirs:1b")
    world.load("theirs:1b")
    world.tags["mine:next"] = world.tags["mine:previous"] = world.tags["a:1b"]
    assert world.plan(ABC) == []


def test_a_slot_that_is_about_to_be_unloaded_is_looked_at_closely() -> None:
    """Its weights may be gone from the disk: as long as it is in memory, nothing else shows it."""
    unwatched = ABC.model_copy(update={"watch": "off"})
    world = deployed(unwatched)
    weights = world.tags["b:1b"].weights
    world.runners[weights] = replace(world.runners[weights], until="2026-01-15T10:35:00Z")
    assert not world.settled(unwatched)
    assert world.plan(unwatched) == []
    assert world.settled(ABC), "the watch has it stay, or loads it again"


def test_what_only_answers_somebody_to_its_end_is_left_to_it() -> None:
    """A rotation has told it to go; where it stays, it is unloaded."""
    world = deployed(ABC)
    old = world.runners[world.tags["a:1b"].weights]
    world.publish("new:1b")
    changed = declared("new:1b", "b:1b", "c:1b")
    world.deploy(changed)
    world.runners[world.tags["a:1b"].weights] = replace(old, until="2026-01-15T10:35:00Z")
    for now, steps in ((36, []), (34, ["unload one:previous, no slot uses it"])):
        world.changed = {"/proc/self": datetime(2026, 1, 15, 10, now, tzinfo=UTC).timestamp()}
        assert [f"{it}" for it in world.plan(changed)] == steps
        assert world.settled(changed) is not bool(steps)

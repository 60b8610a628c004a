"""Slots go back to what they had before."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core import rollback as back
from ollama_slots.core.rollback import steps
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Rotate, Step
from ollama_slots.operations.rollback import rollback
from tests.unit.declared import declared
from tests.unit.fake import Asked, Run, answers
from tests.unit.world import GB, Killed, World, deployed

BEFORE, AFTER = declared("a:1b", "b:1b", "c:1b"), declared("a:1b", "new:1b", "other:1b")


def one(name: str) -> Settings:
    return declared("a:1b", "new:1b", "other:1b", rollback=name)


@pytest.fixture
def world() -> World:
    """Slots two and three have changed their models."""
    return deployed(AFTER, deployed(BEFORE))


def planned(world: World, settings: Settings) -> list[Step]:
    return steps(Snapshot(settings, world.found(), world.details(list(world.tags))))


def go_back(world: World, settings: Settings) -> None:
    taken: list[str] = []
    while found := planned(world, settings):
        assert str(found[0]) not in taken, "it still needed after it ran; giving up"
        taken.append(str(found[0]))
        world.apply(found[0])


def test_each_slot_that_has_changed_goes_back(world: World) -> None:
    assert [str(it) for it in planned(world, AFTER)] == [
        "slot two: b:1b at 4096 tokens, back in place of new:1b, the old one unloaded after",
        "slot three: c:1b at 4096 tokens, back in place of other:1b, the old one unloaded after",
    ]
    go_back(world, AFTER)
    assert world.settled(BEFORE)
    assert world.faults(BEFORE) == {}
    assert {it.digest for it in world.runners.values()} == {
        world.tags[f"{name}:latest"].digest for name in ("one", "two", "three")
    }


@pytest.mark.parametrize(
    ("sizes", "data", "slots"),
    [
        ((1, 1), {}, ["two", "three"]),
        ((15, 1), {}, ["three"]),
        ((15, 1), {"require_gpu": False}, ["two", "three"]),  # partly on the CPU, on purpose
        ((8, 8), {}, ["two"]),  # the first that fits; the other one is in the way then
        ((10, 1), {}, ["two", "three"]),  # the largest is loaded first
    ],
)
def test_what_does_not_fit_beside_the_others_is_not_gone_back_to(
    sizes: tuple[int, int], data: dict[str, Any], slots: list[str]
) -> None:
    """They would be pushed out for it, and it for them."""
    world = World(gpu=(24000, 24000))
    for name, size in zip(("b:1b", "c:1b"), sizes, strict=True):
        world.publish(name, size=size * GB)
    deployed(AFTER, deployed(BEFORE, world))
    settings = declared("a:1b", "new:1b", "other:1b", rollback="all", gpu_memory_gib=16, require_gpu=True)
    settings = settings.model_copy(update=data)
    assert [it.target.slot.name for it in planned(world, settings) if isinstance(it, Rotate)] == slots
    told = rollback_unable(world, settings)
    assert len(told) == 2 - len(slots)
    assert all(": expected room in GPU memory for " in it for it in told)


def test_where_none_can_go_back_it_is_refused() -> None:
    world = World(gpu=(24000, 24000))
    world.publish("b:1b", size=15 * GB)
    deployed(AFTER, deployed(BEFORE, world))
    settings = declared("a:1b", "new:1b", "other:1b", rollback="two", gpu_memory_gib=16, require_gpu=True)
    with pytest.raises(
        ValueError, match="slot two: expected room in GPU memory for two:previous, of b:1b, beside"
    ):
        planned(world, settings)


def rollback_unable(world: World, settings: Settings) -> list[str]:
    return back.unable(Snapshot(settings, world.found(), world.details(list(world.tags))))


@pytest.mark.parametrize("order", [1, 0, -1])
def test_it_does_not_matter_when_ollama_says_that_its_models_were_made(world: World, order: int) -> None:
    """A store may have been copied, and 0.40 writes a name anew when it copies it."""
    for minutes, (name, it) in enumerate(list(world.tags.items())):
        world.tags[name] = replace(it, made=order * minutes)
    go_back(world, AFTER)
    assert world.settled(BEFORE)
    assert planned(world, AFTER) == []


def times(world: World, name: str, made: tuple[int, int], modified: tuple[int, int]) -> None:
    """When a slot's two variants were made, by its states and by Ollama: what it has and what it had."""
    for states, it in zip((world.states, world.previous), made, strict=True):
        states[name] = states[name].model_copy(update={"made": it})
    for tag, minute in zip(("latest", "previous"), modified, strict=True):
        world.tags[f"{name}:{tag}"] = replace(world.tags[f"{name}:{tag}"], made=minute)


@pytest.mark.parametrize(
    ("made", "modified", "goes"),
    [
        ((9, 5), (1, 1), True),
        ((9, 5), (1, 3), True),
        ((5, 9), (3, 1), False),
        ((9, 0), (1, 3), True),  # what it had is of a deploy that wrote no times
        ((0, 9), (3, 1), False),
        ((0, 0), (3, 1), True),
        ((0, 0), (1, 3), False),
        ((0, 0), (2, 2), None),
    ],
)
def test_what_is_known_by_the_states_comes_before_ollamas_times(
    world: World, made: tuple[int, int], modified: tuple[int, int], goes: bool | None
) -> None:
    times(world, "two", made, modified)
    look = world.look(AFTER)
    told = [it for it in [*back.notices(look), *back.unable(look)] if "slot two" in it]
    going = [str(it).split(":")[0] for it in planned(world, AFTER)]
    assert going == [*(["slot two"] if goes else []), "slot three"]
    if goes is None:
        with pytest.raises(ValueError, match="slot two: expected to know which of its two variants is the older"):
            planned(world, one("two"))
        assert "was its store copied?" in told[0]
    else:
        assert len(planned(world, one("two"))) == goes
        assert ["holds the older one of its two variants already" in it for it in told] == [True] * (not goes)


def test_a_slot_that_is_not_back_for_want_of_times_is_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The store was copied without its times."""
    caplog.set_level("INFO")
    times(world, "two", (0, 0), (2, 2))
    assert run(world, AFTER).failed == {"gpu"}, "once the others are back"
    assert "slot two: expected to know which of its two variants is the older one" in caplog.text
    assert run(world, one("two")).failed == {"gpu"}


def test_the_slot_that_is_named_goes_back_alone(world: World) -> None:
    go_back(world, one("three"))
    assert world.settled(declared("a:1b", "new:1b", "c:1b"))


def test_going_back_twice_is_going_back_once(world: World) -> None:
    go_back(world, AFTER)
    assert planned(world, AFTER) == []
    assert planned(world, one("two")) == []


def test_the_next_deploy_goes_forward_again_and_that_can_be_undone_too(world: World) -> None:
    go_back(world, AFTER)
    assert [str(it) for it in world.plan(AFTER)] == [
        "slot two: new:1b at 4096 tokens, in place of b:1b, the old one unloaded after",
        "slot three: other:1b at 4096 tokens, in place of c:1b, the old one unloaded after",
    ]
    world.deploy(AFTER)
    assert world.settled(AFTER)
    go_back(world, AFTER)
    assert world.settled(BEFORE)


@pytest.mark.parametrize("lives", range(20))
def test_a_rollback_that_died_is_finished_by_the_next(world: World, lives: int) -> None:
    world.lives = lives
    with suppress(Killed):
        go_back(world, AFTER)
    world.lives = None
    for name in ("two:latest", "three:latest"):
        assert world.tags[name].weights not in world.lost
    world.warm_up()
    go_back(world, AFTER)
    assert planned(world, AFTER) == []
    assert world.settled(BEFORE)


def test_a_slot_that_never_changed_has_nothing_to_go_back_to(world: World) -> None:
    with pytest.raises(ValueError, match="slot one: expected its previous variant, found no one:previous"):
        planned(world, one("one"))
    assert planned(deployed(BEFORE), BEFORE) == []


def test_what_somebody_else_put_in_its_place_is_not_gone_back_to(world: World) -> None:
    world.create("two:previous", "FROM a:1b\nPARAMETER num_ctx 1024\n")
    with pytest.raises(ValueError, match="found another two:previous"):
        planned(world, one("two"))
    assert [str(it).split(":")[0] for it in planned(world, AFTER)] == ["slot three"]


def test_what_has_lost_its_weights_is_not_gone_back_to(world: World) -> None:
    world.lost.add(world.tags["two:previous"].weights)
    assert [str(it).split(":")[0] for it in planned(world, AFTER)] == ["slot three"]


def test_the_weights_that_another_slot_uses_stay(world: World) -> None:
    shared = declared("a:1b", "a:1b")
    world = deployed(shared, deployed(declared("a:1b", "b:1b")))
    [step] = planned(world, shared)
    assert isinstance(step, Rotate)
    assert not step.unload_old
    assert step.alone


def test_slots_that_would_evict_each_other_do_not_go_back_together() -> None:
    """What each of them had before is of another deploy."""
    world = World()
    for deploy in (
        declared("x:1b", "b:1b", slot1_num_ctx=2048),
        declared("a:1b", "b:1b"),
        declared("a:1b", "x:1b"),
        declared("a:1b", "c:1b"),
    ):
        world = deployed(deploy, world)
    with pytest.raises(ValueError, match="one at 2048 tokens and two at 4096 tokens would share the weights"):
        planned(world, declared("a:1b", "c:1b"))
    assert len(planned(world, declared("a:1b", "c:1b", shared_base="allow"))) == 2
    go_back(world, declared("a:1b", "c:1b", rollback="two"))
    with pytest.raises(ValueError, match="would share"):
        planned(world, declared("a:1b", "c:1b", rollback="one"))
    assert planned(world, declared("a:1b", "c:1b", rollback="two")) == [], "and what is back already is"


def test_a_slot_that_is_back_keeps_no_other_from_going_back_for_what_it_had_meanwhile() -> None:
    """One had meanwhile, with another window, what two had before."""
    world = World()
    for deploy in (declared("x:1b", "a:1b"), declared("a:1b", "c:1b", slot1_num_ctx=8192)):
        world = deployed(deploy, world)
    go_back(world, declared("a:1b", "c:1b"))
    assert world.settled(declared("x:1b", "a:1b"))


def test_a_rollback_names_a_slot_or_all() -> None:
    with pytest.raises(PyinfraError, match="rollback: expected all or the name of a slot, found 'five'"):
        one("five")


def run(world: World, settings: Settings, **more: Any) -> Run:
    def back() -> None:
        world.apply(planned(world, settings)[0])

    host = answers(world, settings) | {"ollama-slots/rotate": Asked(back)}
    return Run([rollback], settings, gpu=host, **more)


def test_a_run_goes_back_and_tells_what_the_next_deploy_would_do(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    done = run(world, AFTER)
    assert done.changed == {"gpu": True}
    assert world.settled(BEFORE)
    assert "the next deploy would: slot two: new:1b at 4096 tokens, in place of b:1b" in caplog.text
    assert run(world, AFTER).changed == {"gpu": False}


def test_a_slot_whose_previous_variant_is_gone_is_not_told_to_be_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Not as one that never had any, either."""
    caplog.set_level("INFO")
    del world.tags["two:previous"]
    assert run(world, AFTER).failed == {"gpu"}
    assert "slot two: expected its previous variant, found no two:previous: deploy the model that" in caplog.text
    assert "every slot is back" not in caplog.text
    assert world.states["three"].model == "c:1b", "the others are"


def test_a_run_tells_of_a_deploy_that_would_be_refused(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert run(world, declared("a:1b", "same:1b", "same:1b", shared_base="error")).changed == {"gpu": True}
    assert "the next deploy would be refused: two and three share the weights of same:1b" in caplog.text


def test_a_run_on_a_slot_without_a_past_fails_and_changes_nothing(world: World) -> None:
    before = dict(world.tags)
    assert run(world, one("one")).failed == {"gpu"}
    assert world.tags == before


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        ({"slot1_num_ctx": 2048}, {"slot1_num_ctx": 8192}, "slot one: a:1b at 2048 tokens, back from 8192 tokens"),
        ({"slot1_system": "x"}, {}, "slot one: a:1b at 4096 tokens, back from another Modelfile"),
    ],
)
def test_what_it_goes_back_from_is_what_differs(before: dict[str, Any], after: dict[str, Any], back: str) -> None:
    now = declared("a:1b", **after)
    assert [str(it) for it in planned(deployed(now, deployed(declared("a:1b", **before))), now)] == [back]


def test_a_base_that_moved_is_what_it_goes_back_from() -> None:
    world = deployed(declared("a:1b"))
    world.publish("a:1b", weights="newer")
    world.pull("a:1b")
    new = world.tags["a:1b"].digest[:12]
    deployed(declared("a:1b"), world)
    [line] = [str(it) for it in planned(world, declared("a:1b"))]
    assert line.startswith(f"slot one: a:1b at 4096 tokens, back from its base as {new}")


@pytest.mark.parametrize("dry", [True, False])
def test_that_nothing_was_before_is_told(dry: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Not as a no-op's description, which pyinfra shows to nobody who has not asked."""
    caplog.set_level("INFO")
    Run([rollback], BEFORE, dry=dry, gpu=answers(deployed(BEFORE), BEFORE))
    assert caplog.text.count("no slot has a previous variant to roll back to") == 1


def test_where_all_is_back_it_is_not_told_that_nothing_was(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    go_back(world, AFTER)
    Run([rollback], AFTER, gpu=answers(world, AFTER))
    assert "no slot has a previous" not in caplog.text

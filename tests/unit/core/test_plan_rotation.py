"""How a slot gets another model: what makes room, and what is unloaded when."""

import pytest

from ollama_slots.core.plan import together
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Rotate
from tests.unit.declared import declared
from tests.unit.world import GB, Loaded, World, deployed

AB = declared("a:1b", "b:1b")


def rotation(world: World, settings: Settings) -> Rotate:
    """The first rotation, once every base is there."""
    for name in [slot.model for slot in settings.slots if slot.model]:
        if name not in world.tags:
            world.pull(name)
    step = world.plan(settings)[0]
    assert isinstance(step, Rotate)
    return step


def flags(step: Rotate) -> dict[str, bool]:
    return {"room": step.make_room, "old": step.unload_old, "alone": step.alone}


def test_to_a_model_that_no_slot_has() -> None:
    """Beside the old one, which goes once it is replaced; the new one goes if it fails."""
    assert flags(rotation(deployed(AB), declared("c:1b", "b:1b"))) == {"room": False, "old": True, "alone": True}


def test_the_first_model_of_a_slot() -> None:
    assert flags(rotation(deployed(AB), declared("a:1b", "b:1b", "c:1b"))) == {
        "room": False,
        "old": False,
        "alone": True,
    }


def taken(world: World, settings: Settings) -> list[str]:
    """The slots whose rotations one command takes, once every base is there."""
    rotation(world, settings)
    return [it.target.slot.name for it in together(world.plan(settings)) if isinstance(it, Rotate)]


ABC = ("one", "two", "three")


@pytest.mark.parametrize(
    ("world", "settings", "slots"),
    [
        (World(), declared("a:1b", "b:1b", "c:1b"), ABC),
        (World(), declared("a:1b", "b:1b", "a:1b"), ABC[:2]),  # the third shares a runner that there is by then
        (World(), declared("a:1b", "a:1b", "c:1b"), ABC[:1]),
        (deployed(declared("a:1b")), declared("a:1b", "b:1b", "c:1b"), ABC[1:]),
        (deployed(declared("a:1b")), declared("a:1b", "a:1b", "c:1b"), ABC[1:2]),  # which the first one has
        (deployed(declared("a:1b")), declared("d:1b", "b:1b", "c:1b"), ABC[:1]),  # what goes makes room
        (deployed(AB), declared("c:1b", "d:1b"), ABC[:1]),
        (deployed(AB), declared("b:1b", "a:1b"), ABC[:1]),
    ],
)
def test_one_command_makes_new_slots_on_weights_of_their_own(
    world: World, settings: Settings, slots: tuple[str, ...]
) -> None:
    assert taken(world, settings) == [*slots]


def test_one_command_takes_four_steps_at_the_most() -> None:
    five = declared("a:1b", "b:1b", "c:1b", "d:1b", "e:1b", max_loaded_models=9)
    plan = World(most=9).plan(five)
    assert together(plan) == plan[:4]
    assert len(taken(World(most=9), five)) == 4


def test_to_another_window_of_the_same_weights() -> None:
    step = rotation(deployed(AB), declared("a:1b", "b:1b", slot1_num_ctx=8192))
    assert flags(step) == {"room": False, "old": False, "alone": False}
    assert step.state.context == 8192


def test_to_weights_that_already_serve_another_slot() -> None:
    """They are not unloaded if the candidate fails, for the other slot's sake."""
    assert flags(rotation(deployed(AB), declared("b:1b", "b:1b"))) == {"room": False, "old": True, "alone": False}


def test_from_weights_that_serve_another_slot_too() -> None:
    world = deployed(declared("a:1b", "a:1b"))
    assert flags(rotation(world, declared("c:1b", "a:1b"))) == {"room": False, "old": False, "alone": True}


def test_from_weights_that_another_slot_is_about_to_get() -> None:
    world = deployed(AB)
    assert flags(rotation(world, declared("c:1b", "a:1b"))) == {"room": False, "old": False, "alone": True}


def test_a_swap_of_two_slots_loads_and_unloads_nothing() -> None:
    world = deployed(AB)
    before = dict(world.runners)
    swapped = declared("b:1b", "a:1b")
    for step in world.deploy(swapped):
        assert isinstance(step, Rotate)
        assert not step.make_room
        assert not step.unload_old
    assert world.runners == before
    assert world.unloaded == []
    assert world.faults(swapped) == {}


def test_a_model_by_another_name_with_the_same_weights() -> None:
    world = World()
    world.publish("x:16b", weights="x")
    world.publish("x:latest", weights="x")
    deployed(declared("x:16b", "b:1b"), world)
    assert flags(rotation(world, declared("x", "b:1b"))) == {"room": False, "old": False, "alone": False}


def test_old_weights_of_an_undeclared_slot_stay_too() -> None:
    """A slot that was taken out of the data still has its state and its variant, and may be asked."""
    world = deployed(declared("a:1b", "a:1b"))
    assert not rotation(world, declared("c:1b")).unload_old


@pytest.fixture
def full() -> World:
    """Two slots on a host that holds two models."""
    return deployed(AB, World(most=2))


def test_where_both_do_not_fit_the_old_one_makes_room(full: World) -> None:
    step = rotation(full, declared("c:1b", "b:1b"))
    assert flags(step) == {"room": True, "old": True, "alone": True}
    assert "unloaded first" in str(step)
    full.deploy(declared("c:1b", "b:1b"))
    assert full.evicted == []


def test_a_slot_never_makes_room_with_weights_of_another_slot() -> None:
    world = deployed(declared("a:1b", "a:1b", "b:1b"), World(most=2))
    assert not rotation(world, declared("c:1b", "a:1b", "b:1b")).make_room


def test_a_slot_that_is_not_in_memory_has_no_room_to_make(full: World) -> None:
    del full.runners[full.tags["a:1b"].weights]
    full.pull("theirs:1b")
    full.load("theirs:1b")
    assert not rotation(full, declared("c:1b", "b:1b")).make_room


def test_no_room_is_needed_for_what_is_loaded_already(full: World) -> None:
    assert not rotation(full, declared("b:1b", "b:1b")).make_room


def test_no_room_is_needed_for_another_window_of_the_same_weights(full: World) -> None:
    assert not rotation(full, declared("a:1b", "b:1b", slot1_num_ctx=8192)).make_room


def test_the_old_one_makes_room_though_it_was_loaded_before_its_modelfile_changed(full: World) -> None:
    """/api/ps goes on showing the digest by which a runner was loaded."""
    full.deploy(declared("a:1b", "b:1b", slot1_system="Be brief."))
    assert rotation(full, declared("c:1b", "b:1b", slot1_system="Be brief.")).make_room


def test_the_old_one_makes_room_though_its_base_was_what_loaded_it(full: World) -> None:
    base = full.tags["a:1b"]
    full.runners[base.weights] = Loaded("a:1b", base.digest, context=4096, size=GB)
    assert rotation(full, declared("c:1b", "b:1b")).make_room


@pytest.mark.parametrize(("free_mib", "room"), [(1100, True), (2500, True), (2510, False)])
def test_gpu_memory_decides_as_the_engine_will(free_mib: int, room: bool) -> None:
    """A model of 1 GB, which is 954 MiB, needs 524 for the driver, and 1024 that are left free."""
    world = deployed(AB, World(gpu=(24000, free_mib)))
    assert rotation(world, declared("c:1b", "b:1b")).make_room is room


@pytest.mark.parametrize(("gib", "room"), [(3.7, True), (3.9, False)])
def test_gpu_memory_may_be_told(gib: float, room: bool) -> None:
    """Two models of 1 GB are loaded, so 1.86 GiB are taken; the third needs 0.93, and 1 GiB is left free."""
    world = deployed(AB)
    assert all(runner.size == GB for runner in world.runners.values())
    assert rotation(world, declared("c:1b", "b:1b", gpu_memory_gib=gib)).make_room is room


def test_unknown_gpu_memory_is_no_reason_to_interrupt_a_slot() -> None:
    assert not rotation(deployed(AB, World(gpu=None)), declared("c:1b", "b:1b")).make_room


def test_a_window_is_capped_at_what_the_model_was_trained_for() -> None:
    world = World()
    world.publish("small:1b", trained=2048)
    step = rotation(world, declared("small:1b", slot1_num_ctx=32768))
    assert step.state.context == 2048
    assert "PARAMETER num_ctx 32768" in step.modelfile
    assert "at 2048 tokens" in str(step)


def test_a_vision_model_has_a_window_of_2048_at_least() -> None:
    world = World()
    world.publish("eyes:1b", sees=True)
    assert rotation(world, declared("eyes:1b", slot1_num_ctx=1024)).state.context == 2048

"""Whether all slots of a host fit into its GPU memory together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ollama_slots.core.gpu_memory import GB, Need, fit, held, largest_windows, needs, predicted
from ollama_slots.core.gpu_memory import room as room_of
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from tests.unit.core.test_gpu_memory import LLAMA
from tests.unit.declared import declared
from tests.unit.world import World, deployed

AB = declared("a:1b", "b:1b", slot1_num_ctx=32768, slot2_num_ctx=8192)


def need(gigabytes: float, cache: float = 0) -> Need:
    return Need((), int((gigabytes + cache) * GB), int((gigabytes + cache) * GB))


@pytest.mark.parametrize(
    ("wanted", "room", "fits"),
    [
        ([], 0, True),
        ([10], 10, True),  # the first is loaded whatever it needs
        ([10], 9.9, False),
        ([10, 4], 15, True),  # 4 is four fifths of the 5 that are free
        ([10, 4.1], 15, False),
        ([4.1, 10], 15, False),
        ([9, 5, 5], 24, True),
        ([10, 6, 6], 23.5, True),
        ([10, 6, 6], 23.4, False),
    ],
)
def test_runners_fit_by_the_engines_own_rule(wanted: list[float], room: float, fits: bool) -> None:
    assert fit([need(it) for it in wanted], int(room * GB)) is fits


def seen(world: World, settings: Settings, **info: Any) -> Snapshot:
    """What needs() is given, each model of the shape of Llama 3.1 8B."""
    details = world.details(["a:1b", "b:1b"])
    shown = {key: it.model_copy(update={"model_info": LLAMA | info}) for key, it in details.shown.items()}
    return Snapshot(settings, world.found(), details.model_copy(update={"shown": shown}))


def pulled(**more: Any) -> World:
    world = World(**more)
    for name in ("a:1b", "b:1b"):
        world.pull(name)
    return world


def test_each_runner_needs_its_weights_and_its_cache_the_largest_first() -> None:
    first, second = needs(seen(pulled(), AB))
    assert [it.slots[0].slot.name for it in (first, second)] == ["one", "two"]
    assert first.predicted == predicted(LLAMA, GB, 32768)
    assert second.held == held(LLAMA, GB, 8192, 1, flash=False)


def test_parallel_requests_have_a_cache_each() -> None:
    one, four = needs(seen(pulled(), AB)), needs(seen(pulled(parallel=4), AB))
    for slot, tokens in ((0, 32768), (1, 8192)):
        assert four[slot].held - one[slot].held == 3 * tokens * 128 * 1024
        assert four[slot].predicted == predicted(LLAMA, GB, 4 * tokens)


def test_slots_with_the_same_weights_are_one_runner_with_the_larger_window() -> None:
    [it] = needs(seen(pulled(), declared("a:1b", "a:1b", slot2_num_ctx=8192)))
    assert [target.slot.name for target in it.slots] == ["one", "two"]
    assert it.held == held(LLAMA, GB, 8192, 1, flash=False)


def test_what_is_loaded_holds_what_it_holds() -> None:
    world = deployed(declared("a:1b", "b:1b"))
    assert {it.held for it in needs(seen(world, declared("a:1b", "b:1b")))} == {GB}


@pytest.mark.parametrize(
    ("gpu", "data", "room"),
    [
        (None, {}, None),
        ((24576, 24000), {}, 24000 << 20),
        ((24576, 100), {"gpu_memory_gib": 1.5}, 3 << 29),
        (None, {"gpu_memory_gib": 1.5}, 3 << 29),
    ],
)
def test_the_room_is_what_is_free_or_what_is_told(gpu: Any, data: dict[str, Any], room: int | None) -> None:
    world = pulled(gpu=gpu)
    assert room_of(Snapshot(declared("a:1b", **data), world.found(), world.details([]))) == room


def test_what_ollama_holds_is_room_too_but_never_more_than_there_is() -> None:
    world = deployed(declared("a:1b"), World(gpu=(24576, 1000)))
    assert room_of(Snapshot(declared("a:1b"), world.found(), world.details([]))) == (1000 << 20) + GB
    world.gpu = (1000, 999)
    assert room_of(Snapshot(declared("a:1b"), world.found(), world.details([]))) == 1000 << 20


@given(some.integers(min_value=GB, max_value=12 * GB))
def test_the_windows_that_are_proposed_fit_and_the_next_larger_ones_do_not(room: int) -> None:
    given_ = seen(pulled(), AB)
    windows = largest_windows(given_, room)
    if fit(needs(given_), room):
        return
    if windows is None:
        smallest = declared("a:1b", "b:1b", slot1_num_ctx=256, slot2_num_ctx=256)
        assert not fit(needs(seen(pulled(), smallest)), room)
        return
    data = {key: int(value) for key, value in (it.split("=") for it in windows.split(", "))}
    assert fit(needs(seen(pulled(), declared("a:1b", "b:1b", **data))), room)
    largest = max(data.values())
    larger = {key: value + 256 if value == largest else value for key, value in data.items()}
    assert not fit(needs(seen(pulled(), declared("a:1b", "b:1b", **larger))), room)

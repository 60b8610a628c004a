"""Whether all slots of a host fit into its GPU memory together."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ollama_slots.core.cards import DRIVER_HAS, DRIVER_TAKES, cards_now, room
from ollama_slots.core.gpu_memory import GB, all_fit, largest_windows, needs
from ollama_slots.core.gpus import Driven
from ollama_slots.core.placing import Card, Rule, Taken, fit, place
from ollama_slots.core.settings import Settings
from ollama_slots.core.shape import Load, computed, held, predicted
from ollama_slots.core.snapshot import Snapshot
from tests.unit.core.test_gpu_memory import LLAMA
from tests.unit.declared import declared
from tests.unit.world import OF_THE_CPU, Loaded, World, deployed, of_start

AB = declared("a:1b", "b:1b", slot1_num_ctx=32768, slot2_num_ctx=8192)


def taken(gigabytes: float) -> Taken:
    return Taken(int(gigabytes * GB), int(gigabytes * GB))


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
    assert fit([taken(it) for it in wanted], [Card(int(room * GB))], Rule()) is fits


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
    assert first.taken.predicted == predicted(LLAMA, GB, 32768)
    assert second.held == held(LLAMA, GB, Load(8192, flash=False))


def test_parallel_requests_have_a_cache_each() -> None:
    one, four = needs(seen(pulled(), AB)), needs(seen(pulled(parallel=4), AB))
    for slot, tokens in ((0, 32768), (1, 8192)):
        assert four[slot].held - one[slot].held == 3 * tokens * 128 * 1024
        assert four[slot].taken.predicted == predicted(LLAMA, GB, 4 * tokens)


def test_slots_with_the_same_weights_are_one_runner_with_the_larger_window() -> None:
    [it] = needs(seen(pulled(), declared("a:1b", "a:1b", slot2_num_ctx=8192)))
    assert [target.slot.name for target in it.slots] == ["one", "two"]
    assert it.held == held(LLAMA, GB, Load(8192, flash=False))


def test_what_is_loaded_holds_what_it_holds() -> None:
    world = deployed(declared("a:1b", "b:1b"))
    assert {it.held for it in needs(seen(world, declared("a:1b", "b:1b")))} == {GB}


@pytest.mark.parametrize(("library", "more"), [("CUDA", DRIVER_TAKES), ("ROCm", 0)])
def test_nvidias_driver_takes_some_on_each_card_for_each_runner(library: str, more: int) -> None:
    world = pulled()
    world.gpus = [of_start(24576, 24576, library)]
    [it] = needs(seen(world, declared("a:1b")))
    load = Load(4096)
    assert it.taken == Taken(
        predicted(LLAMA, GB, 4096),
        held(LLAMA, GB, load) + more,
        computed(LLAMA, load) + more,
        left=1024 * 2**20 - max(0, more - DRIVER_HAS),
        file=GB,
    )
    there = deployed(declared("a:1b"))
    there.gpus = world.gpus
    [it] = needs(seen(there, declared("a:1b")))
    assert (it.held, it.taken.computed) == (GB + more, more)
    [found] = there.found().gpus or ()
    assert free(cards_now(seen(there, declared("a:1b")))) == [found.available - GB - more]


def test_what_is_on_the_cpu_has_nothing_of_the_driver() -> None:
    world = deployed(declared("a:1b"))
    world.gpus = [of_start(24576, 24576)]
    [runner] = world.runners
    world.runners[runner] = replace(world.runners[runner], in_gpu=0.0)
    [found] = world.found().gpus or ()
    assert free(cards_now(seen(world, declared("a:1b")))) == [found.available]


def free(cards: list[Card] | None) -> list[int] | None:
    return None if cards is None else [it.free for it in cards]


def seen_of(world: World, **data: Any) -> Snapshot:
    return Snapshot(declared("a:1b", **data), world.found(), world.details([]))


@pytest.mark.parametrize(
    ("gpu", "data", "expected"),
    [
        (None, {}, None),
        ((24576, 24000), {}, [24000 << 20]),
        ((24576, 100), {"gpu_memory_gib": 1.5}, [3 << 29]),
        (None, {"gpu_memory_gib": 1.5}, [3 << 29]),
    ],
)
def test_the_room_is_what_is_free_or_what_is_told(
    gpu: Any, data: dict[str, Any], expected: list[int] | None
) -> None:
    assert free(room(seen_of(pulled(gpu=gpu), **data))) == expected


def test_what_ollama_holds_is_room_too_but_never_more_than_there_is() -> None:
    world = deployed(declared("a:1b"), World(gpu=(24576, 1000)))
    assert free(room(seen_of(world))) == [(1000 << 20) + GB + DRIVER_TAKES]
    world.gpu = (1000, 999)
    assert free(room(seen_of(world))) == [1000 << 20]


@given(some.integers(min_value=GB, max_value=12 * GB))
def test_the_windows_that_are_proposed_fit_and_the_next_larger_ones_do_not(bytes_free: int) -> None:
    given_, cards = seen(pulled(), AB), [Card(bytes_free)]

    def fits(settings: Settings) -> bool:
        snapshot = seen(pulled(), settings)
        return all_fit(snapshot, [it.taken for it in needs(snapshot)], cards)

    windows = largest_windows(given_, cards)
    if fits(AB):
        return
    if windows is None:
        assert not fits(declared("a:1b", "b:1b", slot1_num_ctx=256, slot2_num_ctx=256))
        return
    data = {key: int(value) for key, value in (it.split("=") for it in windows.split(", "))}
    assert fits(declared("a:1b", "b:1b", **data))
    largest = max(data.values())
    larger = {key: value + 256 if value == largest else value for key, value in data.items()}
    assert not fits(declared("a:1b", "b:1b", **larger))


# Several cards.

BY_GUESS = Rule()


def cards(*gigabytes: float, library: str = "CUDA") -> list[Card]:
    return [Card(int(it * GB), library) for it in gigabytes]


def left(model: Taken, on: list[Card], rule: Rule = BY_GUESS, alone: bool = False) -> list[float] | None:
    placed = place(on, model, rule, alone)
    return None if placed is None else [round(it.free / GB, 1) for it in placed]


def test_a_model_lies_on_the_card_with_most_free_memory_of_those_that_do() -> None:
    assert left(taken(5), cards(12, 24)) == [12, 19]
    assert left(taken(5), cards(12, 6.3, 11)) == [7, 6.3, 11]


def test_what_fits_on_none_is_shared_out_by_what_is_free() -> None:
    assert left(taken(20), cards(12, 24)) == [5.3, 10.7]
    assert left(Taken(20 * GB, 21 * GB, GB), cards(12, 24)) == [4.3, 9.7], "each computes"


def test_two_cards_have_no_room_for_what_one_of_their_size_would_have() -> None:
    """Three of 9 GB: the third would be shared out, and four fifths of what is left are less."""
    assert fit([taken(9)] * 3, cards(30), Rule())
    assert not fit([taken(9)] * 3, cards(17, 12), Rule())
    assert not fit([taken(11), taken(11)], cards(12, 12), Rule()), "the first is on both of them"


def test_other_models_would_have_to_end_where_not_even_all_cards_have_room() -> None:
    assert left(taken(20), cards(12, 12.9)) is None
    assert left(taken(20), cards(12, 12.9), alone=True) == [2.4, 2.5]
    assert left(taken(30), cards(12, 12), alone=True) is None, "not wholly in GPU memory"


def test_a_card_with_memory_of_its_own_comes_before_one_without() -> None:
    mixed = [Card(60 * GB, "ROCm", integrated=True), *cards(12)]
    assert left(taken(5), mixed) == [60, 7]
    assert left(taken(10), mixed) == [50, 12], "where it does"
    assert left(taken(55), mixed, alone=True) is None, "only one library computes a model"


def test_an_owner_may_want_each_model_on_all_cards() -> None:
    assert left(taken(6), cards(12, 24), Rule(spreads=True)) == [10, 20]


def test_an_owner_may_want_a_model_on_one_card() -> None:
    """Whatever else would have room (bestExplicitMainGPU in server/sched.go, v0.34.4)."""

    def on(number: int, model: Taken = taken(5)) -> Taken:  # noqa: B008 (it is not changed)
        return replace(model, main=number)

    assert left(on(0), cards(12, 24)) == [7, 24]
    assert left(on(0), cards(12, 24), Rule(spreads=True)) == [7, 24]
    assert left(on(0, taken(10)), cards(12, 24)) is None, "it would end others there"
    assert left(on(0, taken(10)), cards(12, 24), alone=True) == [2, 24]
    assert left(on(0, taken(20)), cards(12, 24), alone=True) is None, "not wholly in GPU memory"
    assert left(on(1), [*cards(12, 24), *cards(9, 8, library="ROCm")]) == [12, 19, 9, 8]
    assert left(on(2), cards(12, 24)) == left(on(-1), cards(12, 24)) == [10.3, 20.7], "there is no such card"
    assert left(on(5), cards(12)) == [7]
    assert left(on(0), cards(12, 24), Rule(guesses=False)) == [12, 19], "before 0.30 it is not asked"


def test_what_a_slot_says_of_its_card_counts() -> None:
    world = gpus(of_start(7000, 7000), of_start(7000, 7000))
    pinned = {f"slot{number}_parameters": {"main_gpu": 0} for number in (1, 2)}
    for data, fits in ((pinned, False), ({}, True), (pinned | {"slot2_parameters": {"main_gpu": 1}}, True)):
        snapshot = seen(world, declared("a:1b", "b:1b", slot1_num_ctx=32768, slot2_num_ctx=32768, **data))
        assert all_fit(snapshot, [it.taken for it in needs(snapshot)], room(snapshot) or []) is fits
    hot = deployed(declared("a:1b"))
    assert [it.taken.main for it in needs(seen(hot, declared("a:1b", slot1_parameters={"main_gpu": 1})))] == [1]


def test_an_older_engine_tries_what_fits() -> None:
    assert left(Taken(30 * GB, 10 * GB), cards(10.5), Rule(guesses=False)) == [0.5]


def gpus(*lines: str, **more: Any) -> World:
    world = pulled(**more)
    world.gpus = list(lines)
    return world


def test_a_card_that_ollama_does_not_use_is_no_room() -> None:
    """CUDA_VISIBLE_DEVICES=0: nvidia-smi shows both."""
    world = gpus(of_start(24576, 24000, pci="0000:01:00.0"), gpu=(24576, 23000))
    snapshot = seen_of(world)
    driven = (*snapshot.detailed.driven, Driven(pci="0000:02:00.0", total=1 << 40, free=1 << 40))
    snapshot = replace(snapshot, details=snapshot.detailed.model_copy(update={"driven": driven}))
    assert free(room(snapshot)) == free(cards_now(snapshot)) == [23000 << 20]


def test_cards_that_no_driver_tells_of_are_as_ollama_found_them_less_what_it_holds() -> None:
    world = deployed(declared("a:1b"))
    world.gpus = [of_start(24576, 20480, "ROCm"), of_start(16384, 8192, "ROCm")]
    first, second = ((gib << 30) - (1 << 30) // 20 for gib in (20, 8))
    assert free(room(seen_of(world))) == pytest.approx([first, second], abs=2)
    assert free(cards_now(seen_of(world))) == pytest.approx([first - GB, second], abs=2)


def test_what_is_not_known_of_cards_is_shared_out() -> None:
    """The driver's two cards are those of Ollama by their size; 4 GiB of its own lie on one of them."""
    world = gpus(of_start(12288, 12288), of_start(24576, 24576))
    world.runners["c" * 64] = Loaded("c:1b", "d" * 64, 4096, size=4 << 30)
    driven = [Driven(pci=f"{bus}", total=total << 30, free=now << 30) for bus, total, now in DRIVEN]
    snapshot = seen_of(world)
    snapshot = replace(snapshot, details=snapshot.detailed.model_copy(update={"driven": tuple(driven)}))
    rooms = free(room(snapshot)) or []
    assert [round(it / 2**30) for it in rooms] == [12, 24]
    assert free(cards_now(snapshot)) == [12 << 30, 20 << 30]


DRIVEN = [("b", 24, 20), ("a", 12, 12)]


def test_where_ollama_has_to_look_again_the_drivers_cards_are_the_room() -> None:
    world = gpus(OF_THE_CPU, gpu=(24576, 23000))
    world.cards = ["A fine GPU"]
    assert world.found().blind
    assert free(room(seen_of(world))) == free(cards_now(seen_of(world))) == [23000 << 20]

from typing import Any

import pytest

from ollama_slots.core.gpu_memory import fits, held, predicted
from ollama_slots.core.snapshot import Snapshot
from tests.unit.declared import declared
from tests.unit.world import GB, World, deployed

# The figures of Llama 3.1 8B in Q4_K_M: 4.9 GB of weights, and 128 KiB of cache a token.
LLAMA = {
    "general.architecture": "llama",
    "llama.block_count": 32,
    "llama.embedding_length": 4096,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
}


def test_the_prediction_is_the_weights_and_a_cache_of_two_bytes_a_value() -> None:
    assert predicted(LLAMA, 4_900_000_000, 16384) == 4_900_000_000 + 16384 * 128 * 1024
    assert predicted(LLAMA, 4_900_000_000, 0) == 4_900_000_000


@pytest.mark.parametrize(
    ("change", "a_token"),
    [
        ({"llama.attention.head_count_kv": [8, 8, 2, 8]}, 32 * 1024),  # the least, as the engine takes it
        ({"llama.attention.head_count": [16, 32]}, 128 * 1024),  # the most
        ({"llama.attention.head_count_kv": None}, 512 * 1024),  # a list, which /api/show leaves out
        ({"llama.attention.head_count": []}, 0),
        ({"llama.attention.head_count_kv": []}, 512 * 1024),
        ({"llama.block_count": None}, 0),
        ({"general.architecture": None}, 0),
    ],
)
def test_figures_may_be_lists_or_missing(change: dict[str, Any], a_token: int) -> None:
    assert predicted(LLAMA | change, 0, 10) == 10 * a_token


def test_nothing_known_of_a_model_is_its_size() -> None:
    assert predicted({}, GB, 4096) == GB


def asked(world: World, tokens: int = 4096, **data: Any) -> bool:
    """Whether b:1b, of 1 GB, would be loaded beside what is there."""
    world.pull("b:1b")
    return fits(Snapshot(declared("a:1b", **data), world.found(), world.details(["b:1b"])), "b:1b", tokens)


def hot(**more: Any) -> World:
    """A host with one slot of 1 GB in memory."""
    return deployed(declared("a:1b"), World(**more))


def test_unknown_memory_is_no_obstacle() -> None:
    assert asked(hot())


@pytest.mark.parametrize(("most", "room"), [(1, False), (2, True)])
def test_the_engine_holds_so_many_models_and_no_more(most: int, room: bool) -> None:
    assert asked(hot(most=most)) is room


@pytest.mark.parametrize("most", [0, -1, "three", ""])
def test_a_number_of_models_that_the_engine_cannot_read_is_three(most: Any) -> None:
    world = hot()
    world.most = most
    for name in ("c:1b", "d:1b"):
        assert asked(world)
        world.pull(name)
        world.runners[world.tags[name].weights] = world.runners[world.tags["a:1b"].weights]
    assert not asked(world)


@pytest.mark.parametrize(("free_mib", "room"), [(0, False), (1192, False), (1193, True)])
def test_four_fifths_of_the_free_memory_are_the_engines_to_use(free_mib: int, room: bool) -> None:
    assert asked(hot(gpu=(24000, free_mib))) is room


@pytest.mark.parametrize(("gib", "room"), [(2.0, False), (2.09, False), (2.1, True)])
def test_memory_that_is_told_is_less_what_is_loaded(gib: float, room: bool) -> None:
    """1 GB of it, 0.93 GiB, is the other slot's; of the rest four fifths are 1 GB at 1.17 GiB."""
    assert asked(hot(), gpu_memory_gib=gib) is room


def test_memory_that_is_told_wins_over_nvidia_smi() -> None:
    assert asked(hot(gpu=(24000, 0)), gpu_memory_gib=24)
    assert not asked(hot(gpu=(24000, 24000)), gpu_memory_gib=1)


@pytest.mark.parametrize(("parallel", "room"), [(1, True), (2, False), (0, True), ("x", True)])
def test_the_window_counts_once_for_each_parallel_request(parallel: Any, room: bool) -> None:
    world = hot(gpu=(24000, 2000), parallel=parallel)
    world.pull("b:1b")
    details = world.details(["b:1b"])
    shown = {key: it.model_copy(update={"model_info": LLAMA}) for key, it in details.shown.items()}
    details = details.model_copy(update={"shown": shown})  # 4096 tokens are 0.54 GB
    assert fits(Snapshot(declared("a:1b"), world.found(), details), "b:1b", 4096) is room


SMOLLM2 = {
    "general.architecture": "llama",
    "llama.block_count": 30,
    "llama.embedding_length": 576,
    "llama.feed_forward_length": 1536,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
}
GEMMA3 = {
    "general.architecture": "gemma3",
    "gemma3.block_count": 18,
    "gemma3.embedding_length": 640,
    "gemma3.feed_forward_length": 2048,
    "gemma3.attention.head_count": 4,
    "gemma3.attention.head_count_kv": 1,
    "gemma3.attention.key_length": 256,
    "gemma3.attention.value_length": 256,
}


@pytest.mark.parametrize(
    ("info", "file_bytes", "tokens", "log"),
    [
        (SMOLLM2, 98362432, 4096, [92.10, 0.19, 90.00, 86.38]),
        (GEMMA3, 253113024, 16384, [235.16, 12.66, 1.00, 48.00, 15.00, 171.76]),
    ],
)
def test_more_is_foreseen_than_llama_server_said_that_it_took(
    info: dict[str, Any], file_bytes: int, tokens: int, log: list[float]
) -> None:
    """Weights, output, cache and compute buffers in MiB, without flash attention, off its log (b10488)."""
    assert sum(log) * 2**20 <= held(info, file_bytes, tokens, 1, flash=False)


def test_flash_attention_saves_the_scores_and_takes_larger_batches() -> None:
    slow, fast = (held(LLAMA, GB, 16384, 1, flash) for flash in (False, True))
    assert slow - fast > 9 * 10**8
    assert held(LLAMA, GB, 65536, 1, flash=True) - held(LLAMA, GB, 65536, 0, flash=True) > 65536 * 128 * 1024


def test_of_heads_that_differ_by_block_the_most_hold_the_cache() -> None:
    """What is foreseen may be more than what is taken, and never less."""
    uneven = LLAMA | {"llama.attention.head_count_kv": [8, 8, 2, 8]}
    assert held(uneven, GB, 16384, 1, flash=True) == held(LLAMA, GB, 16384, 1, flash=True)


@pytest.mark.parametrize(
    ("tokens", "parallel", "batch"),
    [
        (4096, 1, 512),
        (4097, 1, 1024),
        (32768, 1, 1024),
        (32769, 1, 2048),
        (16385, 2, 2048),
    ],
)
def test_the_engines_batch_grows_with_the_window_and_what_it_is_computed_in_with_the_batch(
    tokens: int, parallel: int, batch: int
) -> None:
    """512, 1,024 and 2,048 tokens (server/sched.go, v0.32.15): four bytes each of the mask, and 8 rows."""
    cache = tokens * parallel * 128 * 1024
    assert held(LLAMA, GB, tokens, parallel, flash=True) - GB - cache == 4 * batch * (tokens + 8 * 4096)
    assert held(LLAMA, GB, tokens, parallel, flash=False) - GB - cache == 4 * 512 * (33 * tokens + 8 * 4096)

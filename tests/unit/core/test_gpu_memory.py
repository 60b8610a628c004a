from dataclasses import replace
from typing import Any

import pytest

from ollama_slots.core.cards import DRIVER_HAS, cards_now, driver_takes, room
from ollama_slots.core.gpu_memory import fits, guess, needs, unfit
from ollama_slots.core.placing import Taken
from ollama_slots.core.shape import (
    EMBEDDINGS,
    Load,
    Shape,
    batch_of,
    cached,
    computed,
    held,
    parallel,
    predicted,
    surcharge,
)
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.host.gpus import LOOKED
from tests.unit.declared import declared
from tests.unit.world import GB, OF_THE_CPU, World, deployed, of_start

GIB, MIB = 2**30, 2**20
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
        ({"llama.attention.head_count_kv": None}, 512 * 1024),  # a list, which /api/show leaves out before 0.34
        ({"llama.attention.head_count": []}, 0),
        ({"llama.attention.head_count_kv": []}, 512 * 1024),  # and so from then on
        ({"llama.attention.head_count_kv": [0, 8, 0, 8]}, 16 * 1024),  # as the engine takes it: one
        ({"llama.block_count": None}, 0),
        ({"llama.block_count": 2**62}, 0),  # no model's, and a list as long would take all memory
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


def test_the_benchmark_s_candidate_is_in_nobody_s_way() -> None:
    world = hot(most=2)
    world.pull("c:1b")
    world.create("ollama-slots-candidate:latest", "FROM c:1b\nPARAMETER num_ctx 4096\n")
    world.load("ollama-slots-candidate:latest")
    assert asked(world)
    world.unload("c:1b")
    world.load("c:1b")
    assert not asked(world)


def test_what_does_not_fit_is_told_with_what_it_needs_and_what_is_free() -> None:
    world = hot(gpu=(8 * 1024, 1024))
    world.pull("b:1b")
    seen = Snapshot(declared("a:1b"), world.found(), world.details(["b:1b"]))
    assert unfit(seen, "b:1b", 4096) == "needs 2.4 of 1.0 GiB that are free"
    assert guess(seen, "b:1b", 4096) == GB + 4 * MIB + DRIVER_HAS + 1024 * MIB
    world.most = 1
    seen = Snapshot(declared("a:1b"), world.found(), world.details(["b:1b"]))
    assert unfit(seen, "b:1b", 4096) == "1 of at most 1 models are in memory"


@pytest.mark.parametrize("most", [0, -1, "three", ""])
def test_a_number_of_models_that_the_engine_cannot_read_is_three(most: Any) -> None:
    world = hot()
    world.most = most
    for name in ("c:1b", "d:1b"):
        assert asked(world)
        world.pull(name)
        world.runners[world.tags[name].weights] = world.runners[world.tags["a:1b"].weights]
    assert not asked(world)


@pytest.mark.parametrize(("free_mib", "room"), [(0, False), (9536, False), (9537, True)])
def test_four_fifths_of_the_free_memory_are_the_engines_to_use(free_mib: int, room: bool) -> None:
    """Of a model of 8 GB, or 7629 MiB, the guess is what counts."""
    world = hot(gpu=(24000, free_mib))
    world.publish("b:1b", size=8 * GB)
    assert asked(world) is room


# MiB: what a model of 1 GB holds, what the driver has before it, and what is left free
FREE = -(-GB // MIB) + 4 + 524 + 1024


@pytest.mark.parametrize(
    ("free_mib", "room", "environ"),
    [
        (FREE - 1, False, {}),
        (FREE, True, {}),
        (FREE - 1, False, {"LLAMA_ARG_FIT_TARGET": ""}),
        (FREE + 475, False, {"LLAMA_ARG_FIT_TARGET": "1000,1500"}),
        (FREE + 476, True, {"LLAMA_ARG_FIT_TARGET": "1000,1500"}),
        (FREE - 900, True, {"LLAMA_ARG_FIT": "off"}),
    ],
)
def test_so_much_is_left_free_that_no_layer_stays_on_the_cpu(
    free_mib: int, room: bool, environ: dict[str, str]
) -> None:
    world = hot(gpu=(24000, free_mib))
    world.environ = environ
    assert asked(world) is room


@pytest.mark.parametrize(
    ("version", "overhead", "library", "left"),
    [
        ("0.21.1", "", "CUDA", 0),  # the driver takes more
        ("0.21.1", f"{2 * GIB}", "CUDA", 2 * GIB + 457 * MIB - 640 * MIB),
        ("0.21.1", "", "ROCm", 457 * MIB),
        ("0.34.4", f"{2 * GIB}", "ROCm", 1024 * MIB),
    ],
)
def test_before_it_guessed_ollama_left_a_part_of_each_card_and_what_its_owner_said(
    version: str, overhead: str, library: str, left: int
) -> None:
    world = World(gpus=[of_start(24000, library=library)], version=version)
    world.pull("a:1b")
    world.environ = {"OLLAMA_GPU_OVERHEAD": overhead}
    assert needs(world.look(declared("a:1b")))[0].taken.left == left


def test_a_card_that_ollama_leaves_alone_is_no_memory_of_its_own() -> None:
    world = World(gpu=(2000, 2000), gpus=[OF_THE_CPU, LOOKED])
    world.pull("a:1b")
    snapshot = world.look(declared("a:1b"))
    assert (cards_now(snapshot), room(snapshot)) == (None, None)


def test_what_is_in_memory_may_have_any_name_that_its_ollama_takes() -> None:
    world = hot(gpu=(24000, 20000))
    snapshot = world.look(declared("a:1b"))
    named = tuple(it.model_copy(update={"name": "mine:local"}) for it in snapshot.observed.runners or ())
    other = replace(snapshot, observed=snapshot.observed.model_copy(update={"runners": named}))
    assert unfit(other, "a:1b", 4096) == unfit(snapshot, "a:1b", 4096)


@pytest.mark.parametrize(("gib", "room"), [(2.8, False), (2.9, True)])
def test_memory_that_is_told_is_less_what_is_loaded(gib: float, room: bool) -> None:
    """1 GB of it, 0.93 GiB, is the other slot's; as much is needed, and 1 GiB that is left free."""
    assert asked(hot(), gpu_memory_gib=gib) is room


def test_memory_that_is_told_wins_over_nvidia_smi() -> None:
    assert asked(hot(gpu=(24000, 0)), gpu_memory_gib=24)
    assert not asked(hot(gpu=(24000, 24000)), gpu_memory_gib=1)


@pytest.mark.parametrize(("parallel", "room"), [(1, True), (2, False), (0, True), ("x", True)])
def test_the_window_counts_once_for_each_parallel_request(parallel: Any, room: bool) -> None:
    world = hot(gpu=(24000, 3500), parallel=parallel)
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
    assert sum(log) * 2**20 <= held(info, file_bytes, Load(tokens, flash=False))


def test_flash_attention_saves_the_scores_and_takes_larger_batches() -> None:
    slow, fast = (held(LLAMA, GB, Load(16384, flash=flash)) for flash in (False, True))
    assert slow - fast > 9 * 10**8


@pytest.mark.parametrize(
    ("load", "batch", "more"),
    [
        (Load(4096, batch=2048), 2048, 2048),
        (Load(4096, batch=1024, flash=False), 1024, 768),
        (Load(65536, batch=128), 128, 0),
        (Load(512, parallel=2, batch=4096), 1024, 2048),
        (Load(4096, batch=0), 512, 0),
        (Load(4096, batch=-1), 512, 0),
        (Load(8192, batch=4096, embeds=True), 4096, 0),
        (Load(1024, batch=4096, embeds=True), 1024, 0),
    ],
)
def test_a_num_batch_is_what_is_computed_at_once_and_the_engine_guesses_more_for_it(
    load: Load, batch: int, more: int
) -> None:
    """More than the cache has cells is never computed at once (llama-context.cpp)."""
    assert batch_of(load) == batch
    assert surcharge(load) == more * MIB


@pytest.mark.parametrize("said", ["slot", "base"])
def test_a_slots_num_batch_counts_in_its_memory_whoever_says_it(said: str) -> None:
    world = World(gpu=(24000, 24000))
    world.pull("a:1b")
    batch = {"slot1_parameters": {"num_batch": 4096}} if said == "slot" else {}

    def of(runner: dict[str, int], **data: Any) -> Taken:
        details = world.details(["a:1b"])
        shown = {
            key: it.model_copy(update={"model_info": LLAMA, "runner": runner}) for key, it in details.shown.items()
        }
        seen = Snapshot(declared("a:1b", **data), world.found(), details.model_copy(update={"shown": shown}))
        return needs(seen)[0].taken

    without, taken = of({}), of({"num_batch": 4096} if said == "base" else {}, **batch)
    assert taken.predicted == without.predicted + 2 * GIB
    driver = driver_takes(world.look(declared("a:1b")))
    assert taken.computed - driver == 8 * (without.computed - driver), "4096 tokens, where it was 512"
    assert of({"num_batch": 4096}, slot1_parameters={"num_batch": 512}) == without, "the slot's own counts"


def test_what_is_in_memory_says_nothing_of_another_num_batch() -> None:
    world = hot(gpu=(24000, 20000))
    batch = {"slot1_parameters": {"num_batch": 2048}}
    [there], [then] = needs(world.look(declared("a:1b"))), needs(world.look(declared("a:1b", **batch)))
    assert (there.taken.predicted, then.taken.predicted) == (GB, GB + 2 * GIB)
    assert there.held == GB + driver_takes(world.look(declared("a:1b")))


def test_an_embedding_model_that_was_made_of_one_for_text_scores_each_token_of_a_batch() -> None:
    """As seen: 44.06 MiB are computed in, 32 of them for 2048 tokens x 4096 words."""
    text = {"general.architecture": "llama", "llama.pooling_type": 1, EMBEDDINGS: [512, 4096]}
    assert computed(text, Load(2048, embeds=True)) >= 2048 * 4096 * 4
    assert computed(text, Load(512, embeds=True)) < 2 * 512 * 4096 * 4, "no more tokens than the window has"
    bert = {"general.architecture": "nomic-bert", "nomic-bert.pooling_type": 1, EMBEDDINGS: [512, 4096]}
    assert computed(bert, Load(2048, embeds=True)) < 2048 * 4096 * 4
    assert (Shape(bert).left_out, Shape(text).left_out) == ([], [])
    assert Shape({key: it for key, it in text.items() if key != EMBEDDINGS}).left_out == ["vocab_size"]


@pytest.mark.parametrize(
    ("architecture", "figures", "slides"),
    [
        ("exaone4", {"block_count": 64}, True),
        ("exaone4", {"block_count": 30}, False),
        ("exaone4", {"block_count": 30, "attention.sliding_window": 4096}, False),
        ("smallthinker", {"attention.sliding_window": 4096}, True),
        ("smallthinker", {"attention.sliding_window": 0}, False),
        ("smallthinker", {}, False),
    ],
)
def test_windows_slide_only_where_llama_cpp_has_them_slide(
    architecture: str, figures: dict[str, int], slides: bool
) -> None:
    named = {key.replace("llama.", f"{architecture}."): it for key, it in LLAMA.items()}
    info = named | {"general.architecture": architecture}
    info |= {f"{architecture}.{key}": it for key, it in figures.items()}
    whole = figures.get("block_count", 32) * 4096 * 32768
    assert (cached(info, Load(32768)) < whole) is slides


def test_of_heads_that_differ_by_layer_each_layer_holds_its_own() -> None:
    """Where they are not told, all have as many as ask: more may be foreseen than is taken, and never less."""
    uneven = LLAMA | {"llama.attention.head_count_kv": [8, 0] * 16}
    assert cached(uneven, Load(16384)) == cached(LLAMA, Load(16384)) / 2
    told = LLAMA | {"llama.attention.head_count_kv": []}
    assert cached(told, Load(16384)) == 4 * cached(LLAMA, Load(16384))


@pytest.mark.parametrize(
    ("tokens", "at_once", "batch"),
    [
        (4096, 1, 512),
        (4097, 1, 1024),
        (32768, 1, 1024),
        (32769, 1, 2048),
        (16385, 2, 2048),
    ],
)
def test_the_engines_batch_grows_with_the_window_and_what_it_is_computed_in_with_the_batch(
    tokens: int, at_once: int, batch: int
) -> None:
    """512, 1,024 and 2,048 tokens (server/sched.go, v0.32.15): two bytes each of the mask, and 8 rows."""
    cells = -(-tokens // 256) * 256
    fast, slow = Load(tokens, at_once), Load(tokens, at_once, flash=False)
    assert held(LLAMA, GB, fast) - GB - cached(LLAMA, fast) == batch * (2 * cells + 4 * 8 * 4096)
    assert held(LLAMA, GB, slow) - GB - cached(LLAMA, slow) == 512 * 4 * (33 * cells + 8 * 4096)


MEASURED: list[tuple[str, dict[str, Any], Load, float, float, float]] = [
    # general.architecture, its figures, how it is loaded; MiB of cache and states, of what a batch is computed in,
    # and of the weights, off the log of llama-server b10488 with GGUFs of 12 layers
    ("llama", {}, Load(16384), 192.0, 84.0, 278),
    ("llama", {}, Load(16384, cache="q8_0"), 102.0, 80.0, 278),
    ("llama", {}, Load(8192, parallel=4), 384.0, 68.0, 278),
    ("llama", {}, Load(16384, flash=False), 192.0, 555.0, 278),
    ("llama", {}, Load(16384, flash=False, cache="q8_0"), 192.0, 555.0, 278),  # which wants flash attention
    ("gemma3", {"attention.sliding_window": 1024, "heads": (8, 4, 128)}, Load(16384), 104.0, 88.0, 289),
    ("gemma3", {"attention.sliding_window": 1024, "heads": (8, 4, 128)}, Load(65536), 316.0, 372.1, 289),
    ("gemma3", {"attention.sliding_window": 1024, "heads": (8, 4, 128)}, Load(8192, parallel=4), 288.0, 72.0, 289),
    ("gemma2", {"attention.sliding_window": 1024, "heads": (8, 4, 128)}, Load(16384), 216.0, 88.0, 289),
    (
        "gpt-oss",
        {
            "attention.sliding_window": 128,
            "heads": (16, 4, 64),
            "expert_feed_forward_length": 512,
            "expert_used_count": 4,
        },
        Load(32768),
        199.5,
        106.5,
        640,
    ),
    (
        "qwen3moe",
        {"heads": (16, 4, 64), "expert_feed_forward_length": 512, "expert_used_count": 4},
        Load(16384),
        192.0,
        72.0,
        639,
    ),
    (
        "lfm2",
        {"shortconv.l_cache": 3, "attention.head_count_kv": [0, 0, 4] * 4},
        Load(32768),
        128.1,
        112.0,
        301,
    ),
    (
        "granitehybrid",
        {
            "attention.head_count_kv": [0, 0, 0, 4] * 3,
            "ssm.conv_kernel": 4,
            "ssm.inner_size": 2048,
            "ssm.state_size": 128,
            "ssm.group_count": 1,
        },
        Load(32768),
        105.2,
        120.0,
        347,
    ),
]


@pytest.mark.parametrize(("architecture", "figures", "load", "cache", "compute", "weights"), MEASURED)
def test_what_is_foreseen_is_never_less_than_llama_server_took_and_a_quarter_more_at_most(
    architecture: str, figures: dict[str, Any], load: Load, cache: float, compute: float, weights: float
) -> None:
    query, keep, a_head = figures.pop("heads", (16, 4, 64))
    all_of_them = {
        "block_count": 12,
        "embedding_length": 1024,
        "feed_forward_length": 3072,
        "attention.head_count": query,
        "attention.head_count_kv": keep,
        "attention.key_length": a_head,
        "attention.value_length": a_head,
    } | figures
    info = {"general.architecture": architecture} | {
        f"{architecture}.{key}": it for key, it in all_of_them.items()
    }
    assert round(cached(info, load) / 2**20, 1) == cache
    taken = (weights + cache + compute) * 2**20
    assert taken <= held(info, int(weights * 2**20), load) <= 1.25 * taken


def test_no_more_than_one_request_at_once_where_the_engine_takes_no_more() -> None:
    assert parallel({"general.architecture": "qwen35"}, 4) == parallel({"general.architecture": "bert"}, 4) == 1
    assert parallel(LLAMA, 4) == 4
    assert parallel({}, 4) == 4


# A model of 27 billion parameters of which each fourth layer attends, and whose key-value heads are told once.
HYBRID = {
    "general.architecture": "qwen35",
    "qwen35.block_count": 64,
    "qwen35.embedding_length": 5120,
    "qwen35.feed_forward_length": 17408,
    "qwen35.attention.head_count": 24,
    "qwen35.attention.head_count_kv": 4,
    "qwen35.attention.key_length": 256,
    "qwen35.attention.value_length": 256,
    "qwen35.full_attention_interval": 4,
    "qwen35.ssm.conv_kernel": 4,
    "qwen35.ssm.inner_size": 6144,
    "qwen35.ssm.state_size": 128,
    "qwen35.ssm.group_count": 16,
}


def test_of_a_hybrid_only_what_attends_has_a_cache() -> None:
    cache = 16 * 4 * 512 * 32768 * 2
    states = 48 * 4 * (3 * (6144 + 2 * 16 * 128) + 128 * 6144)
    assert cached(HYBRID, Load(32768)) == cache + states
    assert held(HYBRID, 17_000_000_000, Load(32768)) < 20_000_000_000


def test_values_that_are_in_the_keys_are_kept_once() -> None:
    latent = LLAMA | {
        "llama.attention.head_count_kv": 1,
        "llama.attention.key_length_mla": 192,
        "llama.attention.key_length": 576,
        "llama.attention.value_length": 512,
    }
    assert cached(latent, Load(4096)) == 32 * 576 * 4096 * 2


def test_layers_that_share_a_cache_have_none_of_their_own() -> None:
    shared = LLAMA | {"llama.attention.shared_kv_layers": 12}
    assert cached(shared, Load(4096)) == cached(LLAMA, Load(4096)) * 20 / 32


@pytest.mark.parametrize("odd", ["many", 1.5, None, [], ["8", 1.5, None], [[8]]])
def test_figures_that_are_no_whole_numbers_are_none(odd: object) -> None:
    keys = ("block_count", "attention.head_count", "attention.head_count_kv", "embedding_length", "vocab_size")
    info = {"general.architecture": "llama", EMBEDDINGS: odd} | {f"llama.{key}": odd for key in keys}
    assert (Shape(info).layers, Shape(info).words) == (0, 0)
    assert held(info, 5, Load(256)) == 5 + computed(info, Load(256))

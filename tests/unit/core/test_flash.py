"""Whether models are loaded with flash attention, and with the cache that their owner wants, by the version."""

import pytest

from ollama_slots.core.flash import Flash, by_default
from ollama_slots.core.gpu_memory import needs, rule
from ollama_slots.core.shape import Load, held
from ollama_slots.core.snapshot import Snapshot
from tests.unit.core.test_fit import LLAMA, pulled, seen
from tests.unit.declared import declared
from tests.unit.world import GB, of_start

OFF, AUTO, ALL = Flash(on=False, quantised=False), Flash(on=True, quantised=False), Flash(on=True, quantised=True)


@pytest.mark.parametrize(
    ("version", "architecture", "flash"),
    [
        ("0.10.1", "llama", OFF),
        ("0.11.4", "gptoss", OFF),
        ("0.12.11", "gptoss", ALL),
        ("0.12.11", "llama", OFF),
        ("0.13.5", "gemma3", ALL),
        ("0.13.5", "llama", OFF),
        ("0.14.0", "llama", AUTO),
        ("0.24.0", "llama", AUTO),
        ("0.24.0", "qwen3", ALL),
        ("0.24.0", "gemma3n", OFF),
        ("0.30.0", "llama", ALL),
        ("0.30.0", "gemma3n", ALL),
        ("0.0.0", "llama", ALL),
        (None, "llama", ALL),
    ],
)
def test_what_its_owner_leaves_open_an_ollama_decides_by_its_version(
    version: str | None, architecture: str, flash: Flash
) -> None:
    assert by_default(version, architecture) == flash


def of(version: str = "0.32.15", **variables: str) -> Snapshot:
    """One slot of a model of the shape of Llama 3.1 8B, on a host with a GPU that does flash attention."""
    world = pulled()
    world.gpus = [of_start(24576, 24576, "ROCm")]
    it = seen(world, declared("a:1b", slot1_num_ctx=32768))
    environ = (it.observed.environ or {}) | {f"OLLAMA_{name}": value for name, value in variables.items()}
    return Snapshot(
        it.settings, it.observed.model_copy(update={"version": version, "environ": environ}), it.details
    )


def need(it: Snapshot) -> int:
    [one] = needs(it)
    return one.held


@pytest.mark.parametrize(
    ("version", "variables", "load"),
    [
        ("0.12.11", {}, Load(32768, flash=False)),
        ("0.12.11", {"KV_CACHE_TYPE": "q8_0"}, Load(32768, flash=False)),
        ("0.12.11", {"KV_CACHE_TYPE": "q8_0", "FLASH_ATTENTION": "1"}, Load(32768, cache="q8_0")),
        ("0.16.2", {"KV_CACHE_TYPE": "q8_0"}, Load(32768)),
        ("0.16.2", {"KV_CACHE_TYPE": "q8_0", "FLASH_ATTENTION": "1"}, Load(32768, cache="q8_0")),
        ("0.16.2", {"FLASH_ATTENTION": "0"}, Load(32768, flash=False)),
        ("0.32.15", {"KV_CACHE_TYPE": "q8_0"}, Load(32768, cache="q8_0")),
    ],
)
def test_an_older_ollama_takes_no_less_than_it_is_foreseen_to(
    version: str, variables: dict[str, str], load: Load
) -> None:
    assert need(of(version, **variables)) == held(LLAMA, GB, load)


@pytest.mark.parametrize("written", ['"{}"', "'{}'", " {} "])
@pytest.mark.parametrize(
    "variables", [{"NUM_PARALLEL": "4"}, {"KV_CACHE_TYPE": "Q4_0"}, {"FLASH_ATTENTION": "False"}]
)
def test_spaces_and_quotes_around_a_value_are_nothing_to_ollama(variables: dict[str, str], written: str) -> None:
    quoted = of(**{name: written.format(value) for name, value in variables.items()})
    assert need(quoted) == need(of(**variables))


@pytest.mark.parametrize(("value", "spreads"), [("1", True), ('"1"', True), ('"0"', False)])
def test_so_it_is_with_the_wish_to_spread(value: str, spreads: bool) -> None:
    assert rule(of(SCHED_SPREAD=value).observed).spreads is spreads


def test_a_number_that_is_none_to_ollama_is_none_here() -> None:
    assert need(of(NUM_PARALLEL="²")) == need(of(NUM_PARALLEL="٤")) == need(of())

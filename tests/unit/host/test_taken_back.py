"""What a rotation takes back, what it proves, and what it does not wait for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ollama_slots.core import rollback
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Rotate, Step
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.fake_api import Refusal
from tests.unit.host.fake_runners import Runner
from tests.unit.host.slots import holds, memory, pulled, pulled_large, weights

A, B = weights("a:1b"), weights("b:1b")
LARGE = 65536
NOW, WIDER = declared("a:1b", "b:1b"), declared("a:1b", "b:1b", slot1_num_ctx=LARGE)


@pytest.fixture
def two(host: DirectoryHost) -> DirectoryHost:
    """Slots one and two, in memory."""
    pulled(host, "a:1b", "b:1b")
    holds(host, "one", "a:1b")
    holds(host, "two", "b:1b")
    return host


def when_wide(host: DirectoryHost, monkeypatch: pytest.MonkeyPatch, then: Callable[[Runner], None]) -> None:
    """What becomes of a runner that is loaded with the larger window."""
    load = host.engine.runners._load

    def loads(*given: object) -> Runner:
        runner = load(*given)  # type: ignore[arg-type]
        if runner.context == LARGE:
            then(runner)
        return runner

    monkeypatch.setattr(host.engine.runners, "_load", loads)


def test_a_larger_window_that_does_not_load_leaves_the_slot_in_memory(
    two: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ollama ends the runner that it has of the weights before it finds that another window does not fit."""

    def fails(runner: Runner) -> None:
        two.engine.runners._end(runner)
        raise Refusal(500, "cudaMalloc failed: out of memory")

    when_wide(two, monkeypatch, fails)
    step = two.plan(WIDER)[0]
    done = two.apply(step, WIDER)
    assert done.code == 1
    assert done.err.endswith("out of memory; the slot is unchanged\n")
    assert two.faults(NOW) == {}


def test_a_larger_window_that_lies_on_the_cpu_in_part_is_refused(
    two: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_part(runner: Runner) -> None:
        runner.size_vram //= 2

    when_wide(two, monkeypatch, in_part)
    step = two.plan(WIDER)[0]
    done = two.apply(step, WIDER)
    assert done.code == 1
    assert "the candidate is refused: only " in done.err
    assert done.err.endswith("; the slot is unchanged\n")
    assert two.faults(NOW) == {}


def test_one_that_was_loaded_without_room_is_loaded_anew_with_its_next_prompt(two: DirectoryHost) -> None:
    """The same weights and window: its runner stays as it is until it is unloaded."""
    two.engine.runners.all[A].size_vram //= 2
    other = declared("a:1b", "b:1b", slot1_system="Be brief.")
    step = two.plan(other)[0]
    done = two.apply(step, other)
    assert done.code == 0, done
    assert two.faults(other) == {}


def test_who_asks_the_slot_meanwhile_does_not_keep_it_from_its_window(
    two: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His request has it loaded with the old window again, before that of the candidate can be looked at."""

    def asked(runner: Runner) -> None:
        runner.context = 4096

    when_wide(two, monkeypatch, asked)
    step = two.plan(WIDER)[0]
    assert two.apply(step, WIDER).code == 0
    assert two.state("one")["context"] == f"{LARGE}"


def steps_of(host: DirectoryHost, settings: Settings) -> list[Step]:
    return rollback.steps(host.snapshot(settings))


def test_a_rollback_to_damaged_weights_is_refused_and_deletes_nothing(host: DirectoryHost) -> None:
    large = pulled_large(host, "large:1b")
    pulled(host, "b:1b")
    settings = declared("b:1b")
    host.deploy(declared("large:1b"))
    host.deploy(settings)
    host.engine.runners.clear()
    blob = host.engine.files.blob(large)
    with blob.open("r+b") as it:
        it.write(b"power cut")
    [step] = steps_of(host, settings)
    done = host.apply(step, settings)
    assert done.code == 1
    assert "its weights are damaged on the disk: deploy the model that you want; the slot is unchanged" in done.err
    assert "fetching" not in done.out
    assert blob.exists()
    blob.unlink()
    with pytest.raises(ValueError, match="found one:previous without its weights: deploy the model that you want"):
        steps_of(host, settings)


def test_the_old_one_answers_to_its_end_and_nothing_waits_for_it(
    host: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's answer takes minutes; the engine knows that the runner is to go."""
    pulled(host, "a:1b", "b:1b")
    holds(host, "one", "a:1b")
    settings = declared("b:1b")
    monkeypatch.setattr(host.engine.runners, "slow_unload", 60)
    [step] = host.plan(settings)
    assert host.apply(step, settings).code == 0
    assert memory(host) == {A, B}
    assert host.plan(settings) == []
    assert [type(it) for it in steps_of(host, settings)] == [Rotate], "nor does the way back"

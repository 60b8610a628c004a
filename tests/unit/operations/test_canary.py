"""A canary proves itself; the others wait for it."""

from __future__ import annotations

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops

from ollama_slots.host.speed import parse_speeds
from ollama_slots.operations import canary
from tests.unit.complaint import complaint
from tests.unit.declared import declared
from tests.unit.fake import Asked, Run
from tests.unit.host.seam import marked
from tests.unit.world import World

AB = declared("a:1b", "b:1b")
FAST = ["one 64 320000000", "two 64 640000000"]  # 200 and 100 tokens per second


def test_speeds_are_tokens_by_seconds_and_no_token_is_no_speed() -> None:
    said = [*FAST, "three 0 ", "four 0 12", "five model 'five:latest' not found", "six 1 0"]
    assert parse_speeds([*said, "== end"]) == {
        "one": 200.0,
        "two": 100.0,
        "three": "it made no token",
        "four": "it made no token",
        "five": "model 'five:latest' not found",
        "six": "it made no token",
    }


def run(said: list[str], **data: float) -> Run:
    speeds = {"Count from 1 to 100": {"stdout": marked([*said, "== end"])}, "== units": Asked(World().probe)}
    return Run([canary.speed], declared("a:1b", "b:1b", **data), gpu=speeds)


def test_a_canary_that_answers_is_well_and_nothing_has_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    done = run(FAST)
    assert done.failed == set()
    assert done.changed == {"gpu": False}
    assert len(done.commands["gpu"]) == 2


@pytest.mark.parametrize(
    ("said", "least", "words"),
    [
        (FAST, 150, "slot two: expected at least 150 tokens per second, found 100.0"),
        (["one 64 320000000", "two timed out"], None, "slot two: does not answer: timed out"),
    ],
)
def test_a_canary_that_is_too_slow_or_silent_fails(
    said: list[str], least: float | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(said, **({"canary_min_tokens_per_sec": least} if least else {})).failed == {"gpu"}
    assert words in caplog.text
    assert "slot one" not in caplog.text


def test_a_slot_that_is_not_of_this_host_or_empty_is_not_judged() -> None:
    settings = declared("a:1b", "none", canary_min_tokens_per_sec=50)
    assert canary.too_slow(settings, ["one"], {"one": 60.0, "old": 1.0}) == []


def test_a_slot_that_is_declared_and_was_not_measured_fails() -> None:
    """Its state is not there, which the measurement goes by."""
    assert canary.too_slow(AB, ["one", "two"], {"one": 60.0}) == ["slot two: does not answer: it was not measured"]
    assert run(FAST[:1]).failed == {"gpu"}


def test_a_slot_that_was_renamed_and_whose_model_is_gone_is_left_out() -> None:
    assert run([*FAST, "old model 'old:latest' not found"]).failed == set()


@pytest.mark.parametrize("fails", [True, False])
def test_the_others_are_let_through_only_where_no_canary_has_failed(
    fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    data = {"fake_delay": 0, "fake_delay_jitter": 0}
    names = [(f"@fake/{it}", data) for it in ("a", "b", "c")]
    inventory = Inventory((names, {}), canary=(["@fake/a"], {}))  # type: ignore[no-untyped-call]
    state = State(inventory, Config())  # type: ignore[no-untyped-call]
    connect_all(state)
    one, *others = (inventory.get_host(name) for name, _ in names)
    if fails:
        state.fail_hosts({one}, activated_count=100)  # type: ignore[no-untyped-call]
    add_op(state, canary.gate, host=[one, *others])
    assert complaint(run_ops, state) == ("No hosts remaining!" if fails else "")
    assert (state.failed_hosts == {one, *others}) is fails
    assert ("not touched: canary @fake/a failed" in caplog.text) is fails

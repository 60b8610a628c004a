"""A canary proves itself; the others wait for it."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra import host
from pyinfra.api import Config, FunctionCommand, Host, Inventory, State, operation
from pyinfra.api.connect import connect_all
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops

from ollama_slots.host.speed import parse_speeds
from ollama_slots.operations import canary
from ollama_slots.run.session import Commands
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
    return Run([canary.speed], declared("a:1b", "b:1b", **data), gpu=answered(said))


def answered(said: list[str]) -> dict[str, Any]:
    """What a host answers whose slots answer so."""
    return {"Count from 1 to 100": {"stdout": marked([*said, "== end"])}, "== units": Asked(World().probe)}


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


class Fleet:
    """Three hosts through the gate, of which c is the canary, after the work on it and its proof.

    + works: whether the canary's own deploy succeeds
    + hosts: that the run is limited to
    + how: what pyinfra is told
    """

    def __init__(self, works: bool = True, hosts: str = "abc", how: str = "") -> None:
        data = {"fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": answered(FAST)}
        inventory = Inventory(  # type: ignore[no-untyped-call]
            ([(f"@fake/{it}", data) for it in "abc"], {}), canary=(["@fake/c"], {})
        )
        limit = [inventory.get_host(f"@fake/{it}") for it in hosts]
        state = State(inventory, Config(), initial_limit=limit)  # type: ignore[no-untyped-call]
        connect_all(state)
        for it in limit:
            vars(it.connector)["data"]["fake_responses"] = answered(FAST)  # and no copy of it
        # A run of one host after the other takes them in any order: here, the canary last.
        vars(inventory)["get_active_hosts"] = lambda: sorted(state.active_hosts, key=str)
        canaries, others = [it for it in limit if it.name == "@fake/c"], limit[: len(set(hosts) - {"c"})]
        self.touched: list[str] = []

        # Without the command line pyinfra takes the operations of a number for one: each host has as many.
        @operation()
        def work(who: list[Host]) -> Commands:
            def do(state: State, host: Host) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
                self.touched.append(host.name.removeprefix("@fake/"))
                return works or host not in canaries

            if host in who:
                yield FunctionCommand(do, (), {})

        add_op(state, work, canaries, host=limit)
        for it in limit:
            add_op(state, *((canary.speed, AB) if it in canaries else (work, [])), host=it)
        add_op(state, canary.gate, host=limit)
        add_op(state, work, others, host=limit)
        assert complaint(lambda: run_ops(state, **({how: True} if how else {}))) in ("", "No hosts remaining!")


NOT_YET = (
    "not touched: expected canary @fake/c to be proven first, found it not proven yet: "
    "run without --serial and --no-wait"
)


@pytest.mark.parametrize("how", ["serial", "no_wait"])
@pytest.mark.parametrize("works", [True, False])
def test_no_host_is_touched_before_the_canary_is_proven(
    works: bool, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where hosts do not wait for each other, it has not failed when they come to the gate: it has not begun."""
    assert Fleet(works, how=how).touched == ["c"]
    assert caplog.text.count(NOT_YET) == 2


@pytest.mark.parametrize(
    ("hosts", "works", "touched"),
    [("abc", True, ["c", "a", "b"]), ("abc", False, ["c"]), ("ab", True, ["a", "b"]), ("c", True, ["c"])],
    ids=["it is well", "it fails", "it is left out", "it is alone"],
)
def test_the_others_are_let_through_where_each_canary_of_the_run_is_proven(
    hosts: str, works: bool, touched: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert Fleet(works, hosts).touched == touched
    assert caplog.text.count("not touched: canary @fake/c failed") == (0 if works else 2)
    assert NOT_YET not in caplog.text


@pytest.mark.parametrize("how", ["", "serial", "no_wait"])
def test_a_run_without_the_canary_needs_no_order(how: str) -> None:
    assert Fleet(hosts="ab", how=how).touched == ["a", "b"]


def test_a_canary_that_is_out_of_reach_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    data = {"fake_delay": 0, "fake_delay_jitter": 0}
    names = [(f"@fake/{it}", data) for it in ("a", "b", "c")]
    inventory = Inventory((names, {}), canary=(["@fake/a"], {}))  # type: ignore[no-untyped-call]
    state = State(inventory, Config())  # type: ignore[no-untyped-call]
    connect_all(state)
    one, *others = (inventory.get_host(name) for name, _ in names)
    state.fail_hosts({one}, activated_count=100)  # type: ignore[no-untyped-call]
    add_op(state, canary.gate, host=others)
    assert complaint(run_ops, state) == "No hosts remaining!"
    assert state.failed_hosts == {one, *others}
    assert "not touched: canary @fake/a failed" in caplog.text

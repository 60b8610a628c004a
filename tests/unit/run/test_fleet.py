"""What a run ends with where it has more hosts than a table is good for."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import State, operation
from pyinfra.api.connect import disconnect_all
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops

from ollama_slots.core.settings import Settings
from ollama_slots.core.summary import MOST_HOSTS
from ollama_slots.operations import canary
from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.status import status
from ollama_slots.operations.warm_up import proof, warm_up
from ollama_slots.run import table
from ollama_slots.run.report import DEFAULT
from ollama_slots.run.session import Commands, refuse
from tests import fleet
from tests.unit.complaint import complaint
from tests.unit.deploys import AB, ALL
from tests.unit.fake import Run, answers
from tests.unit.world import World


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    """Where pyinfra runs."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    return tmp_path


def shown(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The one end that was shown."""
    assert caplog.messages.count("--> Slots:") == 1
    first = caplog.messages.index("--> Slots:") + 1
    return [it.removeprefix("    ").replace("@fake/", "") for it in caplog.messages[first:] if it[:4] == "    "]


def fleet_of(number: int, world: World) -> dict[str, Any]:
    return {f"gpu{it:02}": answers(deepcopy(world), AB) for it in range(number)}


def cold(world: World) -> World:
    world = deepcopy(world)
    world.restart()
    return world


def followed(**hosts: Any) -> State:
    """A run that has nothing to do yet."""
    return Run([], AB, True, True, **hosts).state


@pytest.fixture(scope="module")
def deployed_to() -> tuple[list[str], str]:
    return fleet.deploy()


def test_of_200_hosts_a_person_reads_a_few_lines_which_are_in_the_docs(deployed_to: tuple[list[str], str]) -> None:
    lines, _ = deployed_to
    summary = fleet.shown(lines)
    assert lines.count("--> Slots:") == 1
    assert len(summary) == 9
    text = fleet.PAGE.read_text(encoding="utf-8")
    assert fleet.BLOCK.search(text)
    assert text == fleet.page(text, summary), "write it anew: make pages"
    for name in {*fleet.BIG, *fleet.UNREACHED, fleet.MASKED}:
        assert sum(name in it for it in summary) == 1


def test_the_report_of_200_hosts_has_every_slot_of_every_host(deployed_to: tuple[list[str], str]) -> None:
    _, report = deployed_to
    body, _, wrong = report.partition("\n\n")
    rows = [it.split()[:2] for it in body.splitlines()[1:]]
    unseen = {*fleet.UNREACHED, fleet.MASKED}
    names = [f"gpu{number:03}" for number in range(1, fleet.HOSTS + 1)]
    assert sorted(map(tuple, rows)) == sorted(
        (it, number) for it in names for number in (["-"] if it in unseen else list("1234"))
    )
    assert [it.partition(":")[0] for it in wrong.splitlines()] == sorted({*fleet.BIG, *unseen})


@pytest.mark.parametrize("which", [proof, status])
def test_of_ten_hosts_the_table_is_shown_and_nothing_is_written(
    ready: World, caplog: pytest.LogCaptureFixture, here: Path, which: Any
) -> None:
    caplog.clear()
    assert not Run([which], AB, False, True, **fleet_of(MOST_HOSTS, ready)).failed
    assert len(shown(caplog)) == 1 + 2 * MOST_HOSTS
    assert [*here.iterdir()] == []


@pytest.mark.parametrize("which", [proof, status])
def test_of_eleven_hosts_a_summary_is_shown_and_the_table_written(
    ready: World, caplog: pytest.LogCaptureFixture, here: Path, which: Any
) -> None:
    caplog.clear()
    hosts = fleet_of(MOST_HOSTS, ready) | {"cold": answers(cold(ready), AB)}
    assert Run([which], AB, False, True, **hosts).failed == {"cold"}
    expected = "" if which is proof else "expected resident as declared, found "
    assert shown(caplog) == [
        "10 of 11 hosts: every slot resident as declared",
        f"1 host: slots one, two: {expected}not in memory",
        "    cold",
        f"every slot of every host is in {DEFAULT}",
    ]
    assert len((here / DEFAULT).read_text().partition("\n\n")[0].splitlines()) == 1 + 2 * 11


@pytest.mark.parametrize("which", [proof, status])
def test_a_report_that_is_asked_for_is_written_of_fewer_hosts_too(
    ready: World, caplog: pytest.LogCaptureFixture, here: Path, which: Any
) -> None:
    caplog.clear()
    asked = AB.model_copy(update={"report": "fleet.json"})
    hosts = {"warm": answers(ready, AB), "cold": answers(cold(ready), AB), "gone": None}
    assert Run([which], asked, False, True, **hosts).failed == {"cold", "gone"}
    assert shown(caplog)[-1] == "every slot of every host is in fleet.json"
    told = json.loads((here / "fleet.json").read_text().replace("@fake/", ""))
    assert [*told] == ["warm", "cold", "gone"]
    assert told["warm"]["failed"] is None
    assert [it["resident"] for it in told["warm"]["slots"]] == [True, True]
    assert told["cold"]["failed"].startswith("slot one: ")
    assert told["cold"]["failed"].endswith("not in memory")
    assert [it["as_declared"] for it in told["cold"]["slots"]] == [False, False]
    assert told["gone"] == {"slots": [], "failed": "could not be connected to"}


def test_a_host_that_is_resident_and_not_as_declared_is_told_of_and_has_not_failed(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    other = deepcopy(ready)
    other.files["/etc/ollama/modelfiles/two.Modelfile"] = "changed"
    caplog.clear()
    hosts = fleet_of(MOST_HOSTS, ready) | {"other": answers(other, AB)}
    assert not Run([proof], AB, False, True, **hosts).failed
    assert shown(caplog)[1:3] == ["1 host: slot two: resident, not as declared", "    other"]


WHYS: dict[str, tuple[Any, str]] = {
    "unreadable": (
        {"== units": ["nonsense"]},
        "what the host printed cannot be read: expected the output of a script, found nonsense",
    ),
    "silent": ({"== units": {"success": False}}, "the host could not be read, so nothing was done"),
    "no login": (
        {"== units": {"success": False, "stderr": ["hello", "sh: Permission denied"]}},
        "sh: Permission denied",
    ),
    "script": (
        {"ollama-slots/rotate": {"success": False, "stderr": ["slot one: Error: no room"]}},
        "slot one: Error: no room",
    ),
    "cut off": (
        {"ollama-slots/rotate": {"success": False}},
        "the connection broke, or the command was killed: the next run resumes from what the host has",
    ),
}


@pytest.mark.parametrize("what", WHYS)
def test_why_a_host_failed_before_its_slots_were_seen_is_told(
    caplog: pytest.LogCaptureFixture, ready: World, what: str
) -> None:
    answer, why = WHYS[what]
    hosts = fleet_of(MOST_HOSTS, ready) | {"bad": answers(World(), AB) | answer}
    caplog.clear()
    assert Run(ALL, AB, False, True, **hosts).failed == {"bad"}
    assert shown(caplog)[1:3] == [f"1 host: {why}", "    bad"]


def test_a_warm_up_that_systemd_refuses_is_told_and_not_what_comes_of_it(
    caplog: pytest.LogCaptureFixture, ready: World
) -> None:
    refused = "expected systemd to start ollama-warmup.service in its sandbox, found that this host refuses it"
    log = [
        "Jan 15 10:30:00 gpu-a sh[42]: one: does not load",
        "Jan 15 10:30:01 gpu-a systemd[1]: Failed to start.",
    ]
    hosts = fleet_of(MOST_HOSTS, ready) | {
        "boxed": answers(cold(ready), AB) | {"ollama-slots/warm": {"success": False, "stderr": [refused]}},
        "full": answers(cold(ready), AB) | {"ollama-slots/warm": {"success": False, "stderr": log}},
    }
    caplog.clear()
    assert Run([warm_up, proof], AB, False, True, **hosts).failed == {"boxed", "full"}
    assert shown(caplog)[1:5] == [
        f"1 host: {refused}",
        "    boxed",
        "1 host: slots one, two: not in memory",
        "    full",
    ]


def test_a_run_of_which_every_host_fails_reports_too(caplog: pytest.LogCaptureFixture, here: Path) -> None:
    masked = World()
    masked.service["LoadState"] = "masked"
    hosts = fleet_of(30, masked)
    assert len(Run([preflight, *ALL], AB, False, True, **hosts).failed) == 30
    first, why, names, _ = shown(caplog)
    assert first == "0 of 30 hosts: every slot resident as declared"
    assert why.startswith("30 hosts: expected Ollama's ollama.service, found it masked")
    assert names.endswith(" more")
    assert (here / DEFAULT).read_text().count("gpu") == 2 * 30


def test_hosts_that_a_failed_canary_stopped_are_a_cause_of_their_own(
    caplog: pytest.LogCaptureFixture, ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = followed(first=answers(cold(ready), AB), **fleet_of(12, ready))
    first, *others = state.inventory
    monkeypatch.setattr(canary, "canaries", lambda _: [first])
    add_op(state, proof, host=[first], settings=AB)
    add_op(state, preflight, host=others, settings=AB)  # to pyinfra the gate is then the second one of all
    add_op(state, canary.gate)
    add_op(state, proof, host=others, settings=AB)
    caplog.clear()
    assert complaint(run_ops, state) == "No hosts remaining!"
    assert shown(caplog)[:5] == [
        "0 of 13 hosts: every slot resident as declared",
        "12 hosts: not touched: canary first failed",
        f"    {', '.join(f'gpu{it:02}' for it in range(10))} and 2 more",
        "1 host: slots one, two: not in memory",
        "    first",
    ]


def test_a_run_that_is_ended_before_its_time_reports_what_it_knows(
    ready: World, caplog: pytest.LogCaptureFixture, here: Path
) -> None:
    """As pyinfra ends one by --fail-percent: by an error, and then it disconnects from all hosts."""
    bad = {"ollama-slots/rotate": {"success": False, "stderr": "slot one: no room"}}
    state = followed(**fleet_of(10, ready), **{f"bad{it}": answers(World(), AB) | bad for it in range(3)})
    state.config.FAIL_PERCENT = 10
    for it in (models, proof):
        add_op(state, it, settings=AB)
    caplog.clear()
    assert complaint(run_ops, state) == "Over 10% of hosts failed (23%)"
    assert "--> Slots:" not in caplog.messages
    disconnect_all(state)
    assert shown(caplog) == [
        "0 of 13 hosts: every slot resident as declared",
        "10 hosts: the run ended before this host was done",
        f"    {', '.join(f'gpu{it:02}' for it in range(10))}",
        "3 hosts: slot one: no room",
        "    bad0, bad1, bad2",
        f"every slot of every host is in {DEFAULT}",
    ]
    assert len((here / DEFAULT).read_text().splitlines()) == 1 + 13 + 1 + 13


@pytest.mark.parametrize("which", [[models, proof], [status]])
def test_a_run_that_has_reported_does_not_report_again(
    ready: World, caplog: pytest.LogCaptureFixture, which: list[Any]
) -> None:
    caplog.clear()
    hosts = fleet_of(11, ready) | {"cold": answers(cold(ready), AB), "gone": None}
    disconnect_all(Run(which, AB, False, True, **hosts).state)
    assert caplog.messages.count("--> Slots:") == 1
    caplog.clear()
    disconnect_all(Run(which, AB, True, True, **hosts).state)
    assert "--> Slots:" not in caplog.messages, "a dry run has no end"


@operation()
def late(settings: Settings) -> Commands:  # noqa: ARG001 (each operation is given them)
    yield refuse("too slow")


def test_a_host_that_fails_after_it_was_reported_is_reported_anew(ready: World, here: Path) -> None:
    asked = AB.model_copy(update={"report": "fleet.json"})
    done = Run([proof, late], asked, False, True, gpu=answers(ready, AB))
    assert json.loads((here / "fleet.json").read_text())["@fake/gpu"]["failed"] is None
    disconnect_all(done.state)
    assert json.loads((here / "fleet.json").read_text())["@fake/gpu"]["failed"] == "too slow"


def test_a_report_that_cannot_be_written_is_told_and_fails_no_host(
    ready: World, caplog: pytest.LogCaptureFixture, here: Path
) -> None:
    (here / DEFAULT).mkdir()
    caplog.clear()
    assert not Run([proof], AB, False, True, **fleet_of(11, ready)).failed
    assert (
        shown(caplog)[1] == f"report: {DEFAULT} could not be written: Is a directory: set report to another file"
    )


def test_a_host_that_the_slots_are_not_for_is_not_waited_for(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a project with other hosts beside, whose deploy.py calls ``slots`` for some."""
    state = Run([], AB, True, web=answers(World(), AB), gpu=answers(ready, AB)).state
    _, gpu = state.inventory
    table.follow(gpu, AB)
    add_op(state, proof, host=[gpu], settings=AB)
    caplog.clear()
    assert complaint(run_ops, state) == ""
    assert [it.partition(" ")[0] for it in shown(caplog)] == ["host", "gpu", "gpu"]

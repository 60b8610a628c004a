"""Each fault is met by a deploy that says so, costs no request that it need not, and is healed by the next one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.client import asking
from tests.lab.faults import of_disks, of_engines, of_hosts, of_registries, of_states  # noqa: F401 (they register)
from tests.lab.faults.fault import FAULTS, Fault, Stage, row
from tests.lab.faults.of_registries import absent
from tests.lab.fleet import ROOT, SLOTS, STORE, Host, Project

LEFT = f"""
find /run/ollama-slots {STORE}/.ollama-slots -mindepth 1
find /etc/ollama /var/lib/ollama-slots -name '*.new'
"""
TABLE = ROOT / ".lab" / "faults.md"  # make faults has it in docs/
HEAD = """# What goes wrong, and what becomes of it

Written by `make faults`: each fault is made on a lab host, and a deploy runs into it, while each of the four slots
has a user who asks for one token again and again. Then what caused it is taken away; the next deploy has to end
with every slot resident, and the one after it with nothing to do. *Failed* are requests, of all that were made.

| fault | exit code | what the deploy says | seconds | failed | healed by the next deploy in |
|---|---|---|---|---|---|
"""


@pytest.fixture(scope="session")
def rows() -> Iterator[dict[Fault, str]]:
    """The table's rows, written down when there is one for each fault."""
    rows: dict[Fault, str] = {}
    yield rows
    if rows.keys() == set(FAULTS):
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(HEAD + "".join(rows[fault] for fault in FAULTS))


@pytest.mark.parametrize(
    "fault",
    [pytest.param(it, marks=[pytest.mark.gpu] if it.gpu else []) for it in FAULTS],
    ids=[f"{it.play.__module__.split('.')[-1]}-{it.play.__name__}" for it in FAULTS],
)
def test_a_fault(
    fault: Fault, project: Project, gpu1: Host, gpu2: Host, tmp_path: Path, rows: dict[Fault, str]
) -> None:
    stage = Stage(project, gpu1, gpu2, tmp_path)
    absent(gpu1)
    before = gpu1.made()
    with asking(gpu1, *SLOTS, pause=0.1) as records:
        fault.play(stage)
    failures = [failure for record in records for failure in record.failures]
    run = stage.run
    assert run.code == fault.code, run.output
    message = fault.message(run)
    assert message is not None, run.output
    if not fault.loses:
        assert failures == [], run.output
        assert run.code == 0 or kept(before, gpu1) or "state could not be written" in message, run.output

    declared = stage.data if fault.again else ()
    start = time.monotonic()
    healed = project.deploy(*declared, options=("-y", "--limit", stage.limit))
    seconds = time.monotonic() - start
    assert healed.code == 0, healed.output
    assert served(gpu1)
    assert served(gpu2)
    again = project.deploy(*declared, options=("-y", "--limit", stage.limit))
    assert again.changes == 0, again.output
    assert gpu1.out(LEFT) == ""
    asked = sum(len(record.seconds) for record in records)
    cells = (fault.title, run.code, message, f"{stage.seconds:.1f}")
    rows[fault] = row(*cells, f"{len(failures)} of {asked}", f"{seconds:.1f} s")


def kept(before: dict[str, str], host: Host) -> bool:
    """Whether every slot has the variant that it had."""
    now = host.made()
    return all(now.get(f"{slot}:latest") == before[f"{slot}:latest"] for slot in SLOTS)


def served(host: Host) -> bool:
    """Whether a process holds the weights of each slot, and none holds others."""
    return host.in_memory() == {host.weights(slot) for slot in SLOTS}

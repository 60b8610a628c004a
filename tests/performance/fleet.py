"""The same job on the same hosts, in turn: by ours, a playbook and a bare script; and pyinfra with ``true``."""

from __future__ import annotations

import time
from typing import Any

from tests.performance import hosts, kept
from tests.performance.declared import SMALL
from tests.performance.measured import Measured
from tests.performance.tools import ANSIBLE, BARE, FLOOR, OURS, Tools, changes, tools

# Each follows the one before: what it starts from, whether slot 1 gets its second model, whether there is work.
FIRST, NOTHING, ROTATED = JOBS = ("first deploy", "nothing to do", "one slot rotated")


def fleet(numbers: list[int], delays: list[int], repeats: int) -> None:
    """Measures every job in every cell; what an interrupted run has measured is not measured again.

    + numbers: of hosts
    + delays: round trips to add, in milliseconds
    """
    names = hosts.up()
    assert len(names) >= max(numbers), f"the lab has {len(names)} hosts: LAB_HOSTS={max(numbers)} make lab"
    rows = kept.unfinished("fleet")
    done = {(row["hosts"], row["delay_ms"], row["repeat"]) for row in rows}
    todo = [(n, ms, repeat) for n in numbers for ms in delays for repeat in range(repeats)]
    todo = [it for it in todo if it not in done]
    start, weight, weights = time.monotonic(), 0, sum(number + 4 for number, _, _ in todo)
    hosts.pull(names[: max(numbers)], SMALL.bases)
    for number, delay, repeat in todo:
        print(f"fleet: {number} hosts, {delay} ms, repeat {repeat + 1} of {repeats}", flush=True)
        with tools(names[:number], delay / 1000, SMALL) as side_by_side:
            for row in cycle(side_by_side, repeat):
                rows.append({"hosts": number, "delay_ms": delay, "repeat": repeat, **row})
                commands = f", {row['commands']:.1f} commands a host" if row["commands"] is not None else ""
                print(
                    f"    {row['tool']:8} {row['job']:17} {row['wall']:7.2f} s, CPU {row['cpu']:6.2f} s{commands}"
                )
        kept.save("fleet", rows)
        weight += number + 4
        took = time.monotonic() - start
        print(
            f"    {took / 60:.0f} min so far, some {took * (weights - weight) / weight / 60:.0f} to go", flush=True
        )
    if todo:
        hosts.reset(names)


def cycle(side_by_side: Tools, repeat: int) -> list[dict[str, Any]]:
    """One repeat of every job by every tool; who goes first changes with the repeat."""
    rows = []
    order = (OURS, ANSIBLE, BARE)
    for tool in order if repeat % 2 == 0 else reversed(order):
        hosts.reset(side_by_side.names)
        for job in JOBS:
            rows.append(one(side_by_side, tool, job))
    run = side_by_side.floor()
    assert run.code == 0, run.output
    return [*rows, _row(FLOOR, NOTHING, run, None)]


def one(side_by_side: Tools, tool: str, job: str) -> dict[str, Any]:
    """One job by one tool. Raises AssertionError where it was not done, or more than it."""
    names, second = side_by_side.names, job == ROTATED
    before = hosts.sessions(names)
    run = side_by_side.run(tool, second)
    after = hosts.sessions(names)
    changed = changes(tool, run, names)
    assert (changed == 0) == (job == NOTHING), f"{tool}, {job}: {changed} changes:\n{run.output[-6000:]}"
    hosts.look(names, side_by_side.job.slot1[second])
    # Reading the count is one as well.
    commands = [late - early - 1 for early, late in zip(before, after, strict=True)]
    return _row(tool, job, run, sum(commands) / len(names))


def _row(tool: str, job: str, run: Measured, commands: float | None) -> dict[str, Any]:
    return {"tool": tool, "job": job, "wall": round(run.wall, 3), "cpu": round(run.cpu, 3), "commands": commands}

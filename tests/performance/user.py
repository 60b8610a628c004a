"""What a user of a slot feels while its model is changed: by ours, and by a playbook that makes the name anew."""

from __future__ import annotations

import time
from typing import Any

from tests.lab.client import Record, asking
from tests.lab.fleet import SLOTS, Host
from tests.performance import hosts, kept
from tests.performance.declared import LARGE
from tests.performance.spread import percentile
from tests.performance.tools import ANSIBLE, OURS, Tools, changes, tools

REST_SECONDS = 5  # before the change
AFTER_SECONDS = 3  # for what a change leaves behind to be felt


def user(repeats: int) -> None:
    """Measures one host, the same load and the same job by either tool, in turn."""
    rows = kept.unfinished("user")
    done = {(row["tool"], row["repeat"]) for row in rows}
    hosts.pull(["gpu1"], LARGE.bases)
    for repeat in range(repeats):
        for tool in (OURS, ANSIBLE) if repeat % 2 == 0 else (ANSIBLE, OURS):
            if (tool, repeat) in done:
                continue
            with tools(["gpu1"], 0, LARGE) as side_by_side:
                rows.append({"tool": tool, "repeat": repeat, **rotation(side_by_side, tool)})
            kept.save("user", rows)
            row = rows[-1]
            print(
                f"user: repeat {repeat + 1}, {tool:8} {row['requests']} requests, {row['failed']} failed, median "
                f"{row['median'] * 1000:.0f} ms, longest {row['longest'] * 1000:.0f} ms "
                f"(at rest {row['rest_longest'] * 1000:.0f} ms)",
                flush=True,
            )
    hosts.reset(["gpu1"])


def rotation(side_by_side: Tools, tool: str) -> dict[str, Any]:
    """One change of slot 1's model, under load. Raises AssertionError where it did not come about."""
    host = Host("gpu1")
    hosts.reset(side_by_side.names)
    changes(tool, side_by_side.run(tool), side_by_side.names)
    hosts.look(side_by_side.names, LARGE.slot1[False])
    with asking(host, SLOTS[0]) as [rest]:
        time.sleep(REST_SECONDS)
    with asking(host, SLOTS[0]) as [record]:
        run = side_by_side.run(tool, second=True)
        time.sleep(AFTER_SECONDS)
    assert changes(tool, run, side_by_side.names) > 0, run.output
    hosts.look(side_by_side.names, LARGE.slot1[True])
    return {
        "requests": len(record.seconds),
        "failed": len(record.failures),
        **_felt(record),
        **{f"rest_{key}": it for key, it in _felt(rest).items()},
        "deploy": round(run.wall, 2),
        "runners": len(host.ps()),
        "failures": record.failures[:3],
    }


def _felt(record: Record) -> dict[str, float]:
    seconds = record.seconds
    felt = {"median": percentile(seconds, 50), "p99": percentile(seconds, 99), "longest": max(seconds)}
    return {key: round(it, 4) for key, it in felt.items()}

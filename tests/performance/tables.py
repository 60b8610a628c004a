"""The figures as the rows of tables, and beside the targets. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.performance.boot import FLOOR as LOADS
from tests.performance.boot import HOWS, REBOOT, RESTART
from tests.performance.fleet import FIRST, NOTHING
from tests.performance.spread import figure, ratio, spread
from tests.performance.tools import ANSIBLE, BARE, FLOOR, OURS

Row = dict[str, Any]
MOST_COMMANDS = 6  # a host, of a deploy that has nothing to do
MOST_WALL = 1 / 5  # of the playbook's, of a deploy that has nothing to do
MOST_FLOORS, MOST_FLOORS_AFAR = 2, 2.5  # times the floor, of the same; on a line without and with a delay
MOST_WAIT = 1 / 5  # of a user's longest wait beside the playbook's
MOST_BARE = 1.25  # times the bare script's, of a first deploy on a line without a delay
MOST_BOOT = 1.1  # times what the bare loads take
MOST_CPU = 10  # ms of the control machine for a host that is as declared, beyond what pyinfra alone costs


def markdown(rows: Iterable[list[str]], *heads: str) -> str:
    """A table, the first column to the left and the others to the right."""
    lines = [list(heads), ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machines(parts: dict[str, Row]) -> list[list[str]]:
    """What each part was measured on."""
    rows = []
    for part, content in parts.items():
        it = content["machine"]
        where = f"{it['cores']} cores ({it['processor']}), {it['memory_gib']} GiB, Linux {it['kernel']}"
        tools = f"pyinfra {it['pyinfra']}, ansible-core {it['ansible-core']}"
        what = f"{tools}, Python {it['python']}, Ollama {it['ollama']}"
        rows.append([part, it["date"], it["commit"], where, what])
    return rows


def of(rows: list[Row], key: str, **where: object) -> list[float]:
    """One figure of all the repeats that match."""
    return [row[key] for row in rows if all(row[name] == value for name, value in where.items())]


def cells(rows: list[Row]) -> list[tuple[int, int]]:
    """The cells that were measured: hosts, and milliseconds of added round trip."""
    return sorted({(row["hosts"], row["delay_ms"]) for row in rows})


def fleet(rows: list[Row], job: str) -> list[list[str]]:
    """A line for each cell: wall and CPU of both, the ratios, what their sshd counted, and the two floors."""
    table = []
    for hosts, delay in cells(rows):
        cell = {"hosts": hosts, "delay_ms": delay}
        line = [f"{hosts} hosts, {delay} ms"]
        floor = spread(of(rows, "wall", tool=FLOOR, **cell))
        ours, theirs = ({"tool": tool, "job": job, **cell} for tool in (OURS, ANSIBLE))
        for key in ("wall", "cpu"):
            mine, other = spread(of(rows, key, **ours)), spread(of(rows, key, **theirs))
            line += [str(mine), str(other), ratio(mine.median, other.median)]
        line += [figure(spread(of(rows, "commands", **it)).median) for it in (ours, theirs)]
        mine, bare = (spread(of(rows, "wall", **{**ours, "tool": it})) for it in (OURS, BARE))
        table.append([*line, ratio(mine.median, floor.median), str(bare), ratio(mine.median, bare.median)])
    return table


def floors(rows: list[Row]) -> list[list[str]]:
    """A line for each cell: what pyinfra needs for ``true``."""
    table = []
    for hosts, delay in cells(rows):
        cell = {"hosts": hosts, "delay_ms": delay, "tool": FLOOR}
        table.append(
            [f"{hosts} hosts, {delay} ms", *(str(spread(of(rows, key, **cell))) for key in ("wall", "cpu"))]
        )
    return table


def slower(rows: list[Row]) -> list[str]:
    """The cells in which ours takes more than the playbook."""
    found = []
    for job in dict.fromkeys(row["job"] for row in rows):
        for hosts, delay in cells(rows):
            for key, what in (("wall", "time"), ("cpu", "CPU")):
                cell = {"job": job, "hosts": hosts, "delay_ms": delay}
                mine, other = (spread(of(rows, key, tool=it, **cell)).median for it in (OURS, ANSIBLE))
                if mine > other:
                    found.append(f"{job}, {hosts} hosts, {delay} ms: {ratio(mine, other)} the playbook's {what}")
    return found


def user(rows: list[Row]) -> list[list[str]]:
    """A line for each repeat of each tool."""
    return [
        [
            f"{row['tool']}, repeat {row['repeat'] + 1}",
            str(row["requests"]),
            str(row["failed"]),
            *(f"{row[key] * 1000:.0f} ms" for key in ("median", "p99", "longest", "rest_median", "rest_longest")),
            f"{figure(row['deploy'])} s",
            str(row["runners"]),
        ]
        for row in sorted(rows, key=lambda row: (row["tool"] != OURS, row["repeat"]))
    ]


def boots(rows: list[Row]) -> list[list[str]]:
    """A line for each way."""
    table = []
    bare = {key: spread(of(rows, key, how=LOADS)).median for key in ("in_memory", "answered")}
    for how in HOWS:
        line = [{RESTART: "warm-up unit, restart", REBOOT: "warm-up unit, reboot"}.get(how, f"bare loads, {how}")]
        for key, floor in bare.items():
            took = spread(of(rows, key, how=how))
            line += [str(took), ratio(took.median, floor)]
        table.append(line)
    return table


def beyond(row: Row) -> float:
    """The CPU ms a host that are not pyinfra's."""
    ours, alone = row["ms"]
    return float(ours - alone)


def scale(rows: list[Row]) -> list[list[str]]:
    """A line for each number of hosts."""
    return [
        [
            str(row["hosts"]),
            *(figure(it) for it in (*row["ms"], beyond(row), *row["mb"], *row["wall"])),
        ]
        for row in rows
    ]


def shares(rows: list[Row], name: str) -> list[list[str]]:
    """A line for each one's share."""
    return [[str(row[name]), f"{row['percent']:.1f} %"] for row in rows]


def fleet_targets(rows: list[Row]) -> list[list[str]]:
    """Target, measured, met."""
    most = max(of(rows, "commands", tool=OURS, job=NOTHING))
    less = slower(rows)
    fleet = max(hosts for hosts, _ in cells(rows))
    return [
        *(it for hosts, delay in cells(rows) if hosts == fleet for it in _nothing_targets(rows, hosts, delay)),
        *(_first_target(rows, hosts) for hosts, delay in cells(rows) if not delay),
        _target(
            "SSH commands a host, nothing to do", f"at most {MOST_COMMANDS}", figure(most), most <= MOST_COMMANDS
        ),
        _target("cells in which the playbook is faster or cheaper", "none", str(len(less)), not less),
    ]


def _nothing_targets(rows: list[Row], hosts: int, delay: int) -> list[list[str]]:
    cell = {"hosts": hosts, "delay_ms": delay, "job": NOTHING}
    ours, theirs, floor = (spread(of(rows, "wall", tool=it, **cell)).median for it in (OURS, ANSIBLE, FLOOR))
    floors = MOST_FLOORS_AFAR if delay else MOST_FLOORS
    return [
        _target(
            f"nothing to do, {hosts} hosts, {delay} ms, of what {other} takes",
            f"at most {figure(most)}x",
            ratio(ours, it),
            ours <= most * it,
        )
        for other, it, most in (("the playbook", theirs, MOST_WALL), ("the floor", floor, floors))
    ]


def _first_target(rows: list[Row], hosts: int) -> list[str]:
    cell = {"hosts": hosts, "delay_ms": 0, "job": FIRST}
    ours, bare = (spread(of(rows, "wall", tool=it, **cell)).median for it in (OURS, BARE))
    what = f"first deploy, {hosts} hosts, 0 ms, of what a bare script on the host takes"
    return _target(what, f"at most {figure(MOST_BARE)}x", ratio(ours, bare), ours <= MOST_BARE * bare)


def user_targets(rows: list[Row]) -> list[list[str]]:
    """Target, measured, met: the worst of ours beside the worst of the playbook's."""
    failed = sum(of(rows, "failed", tool=OURS))
    mine, other = (max(of(rows, "longest", tool=tool)) for tool in (OURS, ANSIBLE))
    return [
        _target("requests that failed in our rotations", "none", f"{failed:.0f}", failed == 0),
        _target(
            "longest wait in our rotations, of the playbook's",
            f"at most {figure(MOST_WAIT)}x",
            f"{ratio(mine, other)} ({mine * 1000:.0f} ms, {other * 1000:.0f} ms)",
            mine <= other * MOST_WAIT,
        ),
    ]


def boot_targets(rows: list[Row]) -> list[list[str]]:
    """Target, measured, met."""
    floor = spread(of(rows, "in_memory", how=LOADS)).median
    targets = []
    for how in (RESTART, REBOOT):
        took = spread(of(rows, "in_memory", how=how)).median
        what = f"all slots in memory after a {how}, of the same loads one after the other"
        targets.append(
            _target(what, f"at most {figure(MOST_BOOT)}x", ratio(took, floor), took <= floor * MOST_BOOT)
        )
    return targets


def scale_targets(rows: list[Row]) -> list[list[str]]:
    """Target, measured, met: at each number of hosts."""
    return [
        _target(
            "CPU of the control machine a host, nothing to do, "
            f"{row['hosts']} simulated hosts, beyond pyinfra's own",
            f"at most {MOST_CPU} ms",
            f"{figure(beyond(row))} ms",
            beyond(row) <= MOST_CPU,
        )
        for row in rows
    ]


def _target(what: str, target: str, found: str, met: bool) -> list[str]:
    return [what, target, found, "yes" if met else "**no**"]

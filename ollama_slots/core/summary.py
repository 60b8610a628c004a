"""Sum up how a run has ended for many hosts: how many are as declared, and for each cause which ones are not."""

from __future__ import annotations

from collections.abc import Mapping

from ollama_slots.core.causes import cause, told
from ollama_slots.core.ending import Ended

MOST_HOSTS = 10  # of which every slot is shown; more are summed up
MOST_CAUSES = 10  # that are told
WIDTH = 150  # of a line, cut there: the file has all of it


def summary(hosts: Mapping[str, Ended]) -> list[str]:
    """Return the lines of a summary, ``2 * MOST_CAUSES + 2`` at most: every host is counted in one of them.

    Causes that failed a host come first, and then those of most hosts.
    """
    groups: dict[object, list[str]] = {}
    for name, it in hosts.items():
        if it.failed or it.why:
            groups.setdefault((it.failed, cause(it.why)), []).append(name)
    wrong = sorted(groups.values(), key=lambda names: (not hosts[names[0]].failed, -len(names)))
    fine = len(hosts) - sum(map(len, wrong))
    lines = [f"{fine} of {_hosts(len(hosts))}: every slot resident as declared"]
    for names in wrong[:MOST_CAUSES]:
        why = told(hosts[names[0]].why)
        lines += [_cut(f"{_hosts(len(names))}: {why}"), f"    {_named(names)}"]
    if rest := wrong[MOST_CAUSES:]:
        others = f"{len(rest)} other cause{'s' * (len(rest) > 1)}"
        lines.append(f"{_hosts(sum(map(len, rest)))} more, of {others}")
    return lines


def _hosts(number: int) -> str:
    return f"{number} host{'s' * (number != 1)}"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 4]} ..."


def _named(names: list[str]) -> str:
    """Return as many names as a line takes, one at least, and how many more there are."""
    shown = 1
    while shown < len(names) and len(", ".join(names[: shown + 1])) <= WIDTH - 20:
        shown += 1
    more = len(names) - shown
    if more:
        return f"{', '.join(names[:shown])} and {more} more"
    return ", ".join(names)

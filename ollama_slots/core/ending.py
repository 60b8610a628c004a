"""Say how a run has ended for each host: the slot table, and what programs are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ollama_slots.core.held import NO, Held, programs

HEAD = ("host", "slot", "name", "base", "context", "GB in GPU", "resident")
# What the table says of a host that has no slots in it.
EARLIER = f"{NO}failed earlier, see above"
UNREAD = f"{NO}could not be read, see above"
UNTOUCHED = "not touched: a canary failed"
UNPROVEN = "not touched: a canary is not proven"
UNFINISHED = f"{NO}the run ended before this host was done"


@dataclass(frozen=True)
class Ended:
    """How a run has ended for one host.

    + slots: what each holds; none, where that is not known
    + instead: what the table says of the host then
    + failed: whether the host has failed
    + why: what is not as declared, a message each; none, where the slots or the last error say it
    """

    slots: tuple[Held, ...] = ()
    instead: str = EARLIER
    failed: bool = False
    why: tuple[str, ...] = ()

    def known(self, failed: bool, reason: str) -> Ended:
        """Fill in what is known of the host by now.

        + failed: whether it has failed
        + reason: the last error that was reported of it
        """
        failed = failed or self.failed
        why = self.why or tuple(it.why for it in self.slots if it.why)
        said = (self.failed and self.why) or any(it.resident.startswith(NO) for it in self.slots)
        if failed and not said:
            why = (*why, reason)
        return replace(self, failed=failed, why=why)


def table(hosts: Mapping[str, Ended], see: str = "above") -> list[str]:
    """Return the table of all slots, a line each. Hosts that failed before their slots were looked at come last.

    + see: where their messages are
    """
    body = []
    for name, it in sorted(hosts.items(), key=lambda item: not item[1].slots and item[1].instead == EARLIER):
        instead = ("-", "-", "-", "-", "-", it.instead.replace("see above", f"see {see}"))
        body += [(name, *row) for row in ([slot.row for slot in it.slots] or [instead])]
    widths = [max(len(row[column]) for row in [HEAD, *body]) for column in range(len(HEAD))]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [HEAD, *body]
    ]


def text(hosts: Mapping[str, Ended]) -> str:
    """Return the text of a report: the table, and of each host all that is not as declared."""
    wrong = [f"{name}: {it}" for name, ended in hosts.items() for it in ended.why]
    return "\n".join([*table(hosts, "below"), *(["", *wrong] if wrong else [])]) + "\n"


def programs_text(hosts: Mapping[str, Ended]) -> str:
    """Return a report for programs: by host its slots, and why it failed, null where it did not."""
    ends = {
        name: {"slots": programs(it.slots), "failed": "; ".join(it.why) if it.failed else None}
        for name, it in hosts.items()
    }
    return json.dumps(ends, indent=1) + "\n"

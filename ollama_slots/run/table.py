"""Print the slot table that ends a run: one for all hosts, once the last has reported."""

from __future__ import annotations

from pyinfra import logger
from pyinfra.api import Host

from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import residency
from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import Target
from ollama_slots.run.session import Row, run

HEAD: Row = ("host", "slot", "variant", "base", "context", "GB in GPU", "resident")
UNKNOWN: Row = ("-", "-", "-", "-", "-", "NO: could not be read, see above")  # of a host's rows, all there is


def rows(settings: Settings, observed: Observed, faults: list[tuple[Target, str | None]]) -> list[Row]:
    """Return a host's rows, without the host's name.

    + settings, observed: of that host
    + faults: what is wrong with each slot that is to hold a model, or None
    """
    wrong = {target.slot.name: (target, fault) for target, fault in faults}
    lines: list[Row] = []
    for slot in settings.slots:
        target, fault = wrong.get(slot.name, (None, None))
        state, runner = observed.states.get(slot.name), residency(slot.name, observed)
        if target is None:
            unknown = f"unknown: its state is lost, set slot{slot.number}_model"
            holds = unknown if slot.model is None and observed.digest(slot.name) else "empty"
            lines.append((str(slot.number), slot.name, "-", "-", "-", holds))
            continue
        lines.append(
            (
                str(slot.number),
                slot.name,
                state.model if state else target.model,
                str(runner.context_length) if runner else "-",
                f"{runner.gigabytes_in_gpu:.2f}" if runner else "-",
                f"NO: {fault}" if fault else "yes",
            )
        )
    return lines


def report(host: Host, lines: list[Row]) -> None:
    """Take a host's rows, and print the table once no active host is missing.

    + host: whose rows they are
    + lines: as ``rows`` gives them
    """
    state, reported = host.state, run(host.state).rows
    reported[host.name] = lines
    if not {it.name for it in state.active_hosts} <= reported.keys():
        return
    body = [(it.name, *line) for it in state.inventory for line in reported.get(it.name, [])]
    body += [
        (it.name, "-", "-", "-", "-", "-", "NO: failed earlier, see above")
        for it in state.inventory
        if it in state.failed_hosts and it.name not in reported
    ]
    widths = [max(len(row[column]) for row in [HEAD, *body]) for column in range(len(HEAD))]
    logger.info("--> Slots:")
    for row in [HEAD, *body]:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        logger.info(f"    {line}".rstrip())
    reported.clear()  # a later task may report anew

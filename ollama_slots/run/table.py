"""Print the slot table that ends a run: one for all hosts, once the last has reported."""

from __future__ import annotations

from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.api.state import BaseStateCallback

from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import residency
from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import Target
from ollama_slots.run.session import Row, run

HEAD: Row = ("host", "slot", "name", "base", "context", "GB in GPU", "resident")
UNKNOWN: Row = ("-", "-", "-", "-", "-", "NO: could not be read, see above")  # of a host's rows, all there is


def rows(
    settings: Settings, observed: Observed, faults: list[tuple[Target, str | None]], unlike: set[str]
) -> list[Row]:
    """Return a host's rows, without the host's name.

    + settings, observed: of that host
    + faults: why each slot that is to hold a model is not resident, or None
    + unlike: the names of the slots that differ from what is declared, resident or not
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
                f"NO: {fault}" if fault else "yes, not as declared" if slot.name in unlike else "yes",
            )
        )
    return lines


def report(host: Host, lines: list[Row]) -> None:
    """Take a host's rows, and print the table once no active host is missing.

    + host: whose rows they are
    + lines: as ``rows`` gives them
    """
    run(host.state).rows[host.name] = lines
    _print(host.state)


def follow(state: State) -> None:
    """Have a run end with the table also where the last host that was left fails before it has reported."""
    kept = run(state)
    if not kept.followed:
        state.add_callback_handler(_Failures())  # type: ignore[no-untyped-call]
        kept.followed = True


class _Failures(BaseStateCallback):
    """What pyinfra calls: by the time that it ends a run for want of hosts, it is too late."""

    @staticmethod
    def operation_host_error(
        state: State,
        host: Host,
        op_hash: str,
        retry_count: int = 0,  # noqa: ARG004 (pyinfra calls by these names)
        max_retries: int = 0,  # noqa: ARG004
    ) -> None:
        kept = run(state)
        if state.get_op_data_for_host(host, op_hash).global_arguments["_ignore_errors"]:
            return
        kept.failed.add(host.name)
        if host.name not in kept.shown:
            _print(state)


def _print(state: State) -> None:
    """Print the table if every host has reported, or failed."""
    kept = run(state)
    reported = kept.rows
    if not {it.name for it in state.active_hosts} <= reported.keys() | kept.failed:
        return
    body = [(it.name, *line) for it in state.inventory for line in reported.get(it.name, [])]
    body += [
        (it.name, "-", "-", "-", "-", "-", "NO: failed earlier, see above")
        for it in state.inventory
        if (it in state.failed_hosts or it.name in kept.failed) and it.name not in reported
    ]
    widths = [max(len(row[column]) for row in [HEAD, *body]) for column in range(len(HEAD))]
    logger.info("--> Slots:")
    for row in [HEAD, *body]:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        logger.info(f"    {line}".rstrip())
    kept.shown = {row[0] for row in body}
    reported.clear()  # a later task may report anew

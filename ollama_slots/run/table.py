"""Show how a run has ended, once no host is missing: the slot table, or of many hosts a summary."""

from __future__ import annotations

from collections.abc import Collection

from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import BaseStateCallback

from ollama_slots.core import summary
from ollama_slots.core.ending import UNFINISHED, Ended, table
from ollama_slots.core.held import NO
from ollama_slots.core.settings import Settings
from ollama_slots.run import errors
from ollama_slots.run import report as file
from ollama_slots.run.session import run


def report(host: Host, ended: Ended) -> None:
    """Take how the run has ended for a host, and show it once no host is missing."""
    run(host.state).ended[host.name] = ended
    _show_if_whole(host.state)


def follow(host: Host, settings: Settings) -> None:
    """Have a run end with the table of this host and others, also where the last one fails before it has reported.

    + settings: of the host; their ``report`` is the file for it

    Raises PyinfraError with one line where there can be no such file.
    """
    kept = run(host.state)
    if not kept.awaited:
        host.state.add_callback_handler(_Follower())  # type: ignore[no-untyped-call]
        kept.report = settings.report
        if kept.report:
            file.check(kept.report)
    if settings.report != kept.report:
        found = f"{kept.report or 'none'} and {settings.report or 'none'}"
        raise PyinfraError(f"{host.name}: report: expected one file for all hosts, found {found}: set it for all")
    kept.awaited.add(host.name)


class _Follower(BaseStateCallback):
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
        if host.name in kept.awaited and host.name not in kept.shown:
            _show_if_whole(state)

    @staticmethod
    def host_disconnect(state: State, host: Host) -> None:  # noqa: ARG004
        """Show what is known when a run ends before its time, as by --fail-percent or Ctrl-C."""
        kept = run(state)
        if not state.is_executing:
            return
        late = any(_failed(state, it) and not kept.shown[it.name].failed for it in _of(state, kept.shown))
        if late and not kept.ended and (kept.report or len(kept.shown) > summary.MOST_HOSTS):
            kept.ended.update(kept.shown)
        if kept.ended or not kept.shown:
            _show(state)


def _of(state: State, names: Collection[str]) -> list[Host]:
    return [it for it in state.inventory if it.name in names]


def _failed(state: State, host: Host) -> bool:
    return host in state.failed_hosts or host.name in run(state).failed


def _show_if_whole(state: State) -> None:
    """Show how the run has ended if every host that is awaited has reported, or failed."""
    kept, active = run(state), {it.name for it in state.active_hosts}
    if active & (kept.awaited or active) <= kept.ended.keys() | kept.failed:
        _show(state)


def _show(state: State) -> None:
    """Show how the run has ended for every host that it was for, and write it to its file."""
    kept, hosts = run(state), {}
    for host in state.inventory:
        if host.name in kept.ended or _failed(state, host):
            ended = kept.ended.get(host.name, Ended())
            hosts[host.name] = ended.known(_failed(state, host), errors.reason(state, host))
        elif host.name in kept.awaited:
            hosts[host.name] = Ended(instead=UNFINISHED, failed=True, why=(UNFINISHED.removeprefix(NO),))
    kept.shown = hosts
    kept.ended.clear()  # a later task may report anew
    many = len(hosts) > summary.MOST_HOSTS
    logger.info("--> Slots:")
    for line in summary.summary(hosts) if many else table(hosts):
        logger.info(f"    {line}")
    path = kept.report or (file.DEFAULT if many else None)
    if path is None:
        return
    try:
        file.write(path, hosts)
    except OSError as error:
        logger.error(f"    report: {path} could not be written: {error.strerror}: set report to another file")
    else:
        logger.info(f"    every slot of every host is in {path}")

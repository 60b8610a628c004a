"""Keep the last error of each host, which is why it failed: of many hosts nobody reads the lines above."""

from __future__ import annotations

import logging
import re

import click
from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.context import ctx_host

from ollama_slots.host import scripts
from ollama_slots.run.session import run

UNREACHED = "could not be connected to"
UNKNOWN = "it failed without a message"
_PREFIX = re.compile(r"\[[^\]]*\]\s+")  # the host, before each line that pyinfra logs of it
# What pyinfra says beside the reason, and what a look prints.
_NO_REASON = re.compile(
    rf"Error(: (executed \d+ commands|could not (load|process) fact: .*)?)?$|{re.escape(scripts.MARK)}"
)
_DEFECT = "Unexpected error in "  # which pyinfra takes for a warning
_ABOVE = "; see the message above"


class _Listener(logging.Filter):
    """Lets every line pass. All errors are logged, ours and pyinfra's own, while their host is at hand."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING and ctx_host.isset():  # type: ignore[no-untyped-call]
            message = _PREFIX.sub("", click.unstyle(record.getMessage()), count=1)
            if record.levelno >= logging.ERROR or message.startswith(_DEFECT):
                keep(ctx_host.get(), message)  # type: ignore[no-untyped-call]
        return True


_listener = _Listener()


def listen() -> None:
    """Keep what is logged from now on."""
    logger.addFilter(_listener)  # once, however often


def keep(host: Host, message: str) -> None:
    """Keep an error of a host, unless it is none that says why."""
    message = "".join(it if it.isprintable() else " " for it in message).strip().removeprefix("FactProcessError: ")
    said = run(host.state).errors
    if message.endswith(_ABOVE):
        said.setdefault(host.name, message.removesuffix(_ABOVE))
    elif message and not _NO_REASON.match(message):
        said[host.name] = message


def reason(state: State, host: Host) -> str:
    """Return why a host failed."""
    if host not in state.activated_hosts:
        return UNREACHED
    return run(state).errors.get(host.name, UNKNOWN)

"""Work on the host at hand in a run of pyinfra: read, keep what was seen, report, refuse."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from paramiko import SSHException
from pyinfra import host, logger
from pyinfra.api import FactBase, FunctionCommand, Host, State
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core import plan
from ollama_slots.core.ending import Ended
from ollama_slots.core.observed import Observed
from ollama_slots.core.settings import Settings
from ollama_slots.facts import HostObserved
from ollama_slots.host.calls import Shows

if TYPE_CHECKING:
    from ollama_slots.registry.client import Client

Answer = TypeVar("Answer")
Commands = Generator[PyinfraCommand, None, None]
UNREADABLE = "the host could not be read, so nothing was done; see the message above"
BROKE = "the connection broke, or the command was killed: the next run resumes from what the host has"
# Of paramiko, where the connection breaks between two commands, and with each command after that.
BREAKS = (EOFError, OSError, SSHException)
LOOK_AGAIN_SECONDS = 1
FRESH_SECONDS = 20  # how long a look at a host is good for finding that there is nothing to do


@dataclass
class Run:
    """What one run keeps of its hosts: another run in the same process knows nothing of it.

    + left: hosts as the last command on them left them, which looked at that itself; good for one reading
    + seen: hosts as they were when an operation left them, with nothing more to do
    + overtaken: hosts on which the last command found that somebody had changed them, and did nothing
    + read: when each host was read last
    + proven: the canaries that were
    + said: what was reported once, and of which host
    + errors: the last error that was reported of each host
    + ended: how the run has ended, by host; what was shown is gone from it
    + shown: what was shown last
    + awaited: the hosts of which it is to be shown, where somebody follows them; else all
    + failed: those of them that failed
    + report: the file that it goes to, as declared
    + apart: whether each name of the inventory was found to be another Ollama, with data that are right
    + settings: what was checked of each host: its data, and what they say
    """

    left: dict[str, Observed] = field(default_factory=dict)
    seen: dict[str, Observed] = field(default_factory=dict)
    overtaken: set[str] = field(default_factory=set)
    read: dict[str, float] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)
    said: set[tuple[str, str]] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    shown: dict[str, Ended] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    report: str | None = None
    apart: bool = False
    settings: dict[str, tuple[dict[str, Any], Settings]] = field(default_factory=dict)

    @cached_property
    def registry(self) -> Client:
        """What asks registries, each thing once a run."""
        # It brings requests, which takes longer to import than a host with nothing to do.
        from ollama_slots.registry.client import Client  # noqa: PLC0415

        return Client()


_runs: WeakKeyDictionary[State, Run] = WeakKeyDictionary()


def run(state: State | None = None) -> Run:
    """Return what is kept of a run: of this one, unless the state of another is given."""
    return _runs.setdefault(state or host.state, Run())


def fact(kind: type[FactBase[Answer]], **arguments: Any) -> Answer | None:
    """Return a fact of the host at hand; None, and the reason logged, if it cannot be known."""
    try:
        return cast("Answer | None", host.get_fact(kind, **arguments))
    except PyinfraError:  # the last host that was left is out of reach
        return None
    except BREAKS:
        complain(BROKE)
        return None


def complain(message: str) -> None:
    """Log what is wrong with the host at hand."""
    host.log_styled(message, fg="red", log_func=logger.error)


def read(settings: Settings, shows: Shows = "no", models: tuple[str, ...] = ()) -> Observed | None:
    """Read the host at hand. Waits, bounded, for a run that is changing it, and says so.

    + shows: whether it is asked what these models are made of, too; new: where a declared slot is new

    What the last command has seen, when it had done what it had to, is a reading. None where the host cannot be
    read, of which the reason was told.
    """
    run().seen.pop(host.name, None)
    if observed := run().left.pop(host.name, None):
        return observed
    end = time.monotonic() + settings.lock_seconds
    while True:
        run().read[host.name] = time.monotonic()
        observed = fact(HostObserved, settings=settings, shows=shows, models=models)
        if observed is None or observed.changing is None:
            return observed
        if time.monotonic() > end:
            message = f"waited {settings.lock_seconds} s for {observed.changing}; try again when it is done"
            complain(message)
            return None
        say_once(f"waiting for {observed.changing}")
        time.sleep(LOOK_AGAIN_SECONDS)


def looks(settings: Settings, shows: Shows = "new") -> Iterator[tuple[Observed | None, str]]:
    """Yield what the previous operation handed on, if that is fresh; then the host as it is.

    + shows: as for ``read``, where nothing was handed on

    That it is not read for each operation saves a fleet the round trips. The first comes with what a command needs
    that goes by it: it does nothing where somebody has changed the host since (``overtaken``).
    """
    observed = run().seen.pop(host.name, None)
    if observed and time.monotonic() - run().read[host.name] < FRESH_SECONDS:
        yield observed, observed.since
    yield read(settings, shows, plan.beforehand(settings)), ""


def again(settings: Settings) -> Iterator[tuple[Observed | None, str]]:
    """Read the host again and again: for what does not show at once."""
    while True:
        time.sleep(LOOK_AGAIN_SECONDS)
        yield read(settings), ""


def nothing(observed: Observed, message: str) -> None:
    """Report a no-op on the host at hand, and hand what was observed to the next operation."""
    host.noop(message)
    hand_on(observed)


def hand_on(observed: Observed) -> None:
    """Hand what was observed to the next operation on the host at hand: it was not changed since."""
    run().seen[host.name] = observed


def leave(observed: Observed | None) -> None:
    """Keep what the command that was to change the host at hand saw of it at its end; None: it was overtaken."""
    if observed is None:
        run().overtaken.add(host.name)
    elif observed.changing is None:
        run().left[host.name], run().read[host.name] = observed, time.monotonic()


def overtaken() -> bool:
    """Return whether the last command on the host at hand did nothing, for somebody had changed it since."""
    found = host.name in run().overtaken
    run().overtaken.discard(host.name)
    return found


def refuse(message: str) -> FunctionCommand:
    """Fail this host, and no other, with one line; in a dry run, report it now."""
    if not host.state.is_executing:
        say_once(message)

    def fail(state: State, host: Host, message: str) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
        host.log_styled(message, fg="red", log_func=logger.error)
        return False

    return FunctionCommand(fail, (message,), {})


def unread(observed: Observed | None) -> FunctionCommand:
    """Fail a host that could not be read, with the reason."""
    return refuse(UNREADABLE if observed is None else observed.lacks or f"Ollama does not answer{observed.where}")


def say_once(message: str) -> None:
    """Log a line for the host at hand once a run: a plan that is shown first is made twice."""
    said = run().said
    if (host.name, message) not in said:
        said.add((host.name, message))
        logger.info(f"    [{host.name}] {message}")

"""Steps as the commands that take them, and how a host is told of, refused and given files."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from functools import cache
from itertools import chain
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from pyinfra import host, logger
from pyinfra.api import FactBase, FunctionCommand, Host, State, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.facts import HostFound
from ollama_slots.found import Found
from ollama_slots.host import scripts
from ollama_slots.residency import needs_gpu
from ollama_slots.settings import Settings
from ollama_slots.step import Pull, Remove, Step

Answer = TypeVar("Answer")
Commands = Generator[PyinfraCommand, None, None]
UNREADABLE = "the host could not be read, so nothing was done; see the message above"
BROKE = "the connection broke, or the command was killed: the next run goes on from what the host has"
LOOK_AGAIN_SECONDS = 1
FRESH_SECONDS = 20  # how long a look at a host is good for finding that there is nothing to do
MOST_STEPS = 200  # more than any plan has: a plan that does not end is a defect, not a reason to go on

_handed: WeakKeyDictionary[State, dict[str, tuple[float, Found]]] = WeakKeyDictionary()


def fact(kind: type[FactBase[Answer]], **arguments: Any) -> Answer | None:
    """What there is to know of the host at hand; None where it cannot be known, of which the reason was told."""
    try:
        return cast("Answer | None", host.get_fact(kind, **arguments))
    except PyinfraError:  # the last host that was left is out of reach
        return None
    except EOFError:  # of paramiko, where the connection breaks between two commands
        complain(BROKE)
        return None


def complain(message: str) -> None:
    """Tells what is wrong with the host at hand."""
    host.log_styled(message, fg="red", log_func=logger.error)


def read(settings: Settings) -> Found | None:
    """The host at hand as it is. Waits, bounded, for whoever is changing it, and says so.

    None where it cannot be read, of which the reason was told.
    """
    _handed.get(host.state, {}).pop(host.name, None)
    end = time.monotonic() + settings.lock_seconds
    while True:
        found = fact(HostFound, settings=settings)
        if found is None or found.changing is None:
            return found
        if time.monotonic() > end:
            message = f"waited {settings.lock_seconds} s for {found.changing}; try again when it is done"
            complain(message)
            return None
        say_once(host.name, f"waits for {found.changing}")
        time.sleep(LOOK_AGAIN_SECONDS)


def looks(settings: Settings) -> Iterator[tuple[Found | None, bool]]:
    """What the operation before handed on, if it found nothing to do; then the host as it is, None as with read.

    Each with whether it is good for more than finding that there is nothing to do here either: what is done is
    decided by what a host has then. That it is not read for each operation saves a fleet the round trips.
    """
    then, found = _handed.get(host.state, {}).pop(host.name, (0.0, None))
    if found and time.monotonic() - then < FRESH_SECONDS:
        yield found, not host.state.is_executing
    yield read(settings), True


def again(settings: Settings) -> Iterator[tuple[Found | None, bool]]:
    """The host as it is, time and again: for what is not to be seen at once."""
    while True:
        time.sleep(LOOK_AGAIN_SECONDS)
        yield read(settings), True


def nothing(found: Found, message: str) -> None:
    """Says that there is nothing to do on the host at hand, and hands on what was seen of it."""
    host.noop(message)
    _handed.setdefault(host.state, {})[host.name] = time.monotonic(), found


def take(settings: Settings, steps: Callable[[Settings, Found, bool], list[Step]], settled: str) -> Commands:
    """Plans, takes the first step, and again until there is none: a step changes what the later ones depend on.

    + steps: plans from settings, from what the host has, and whether it is the first time; its ValueError refuses
    + settled: what to say where nothing is to be done
    """
    done: set[str] = set()
    pulled: set[str] = set()
    for found, sure in chain(looks(settings), ((read(settings), True) for _ in range(MOST_STEPS))):
        if found is None or found.listed is None or found.runners is None:
            yield unread(found)
            return
        try:
            planned = steps(settings, found, not done | pulled)
        except ValueError as error:
            yield refuse(str(error))
            return
        if not planned:
            if not done | pulled:
                nothing(found, settled)
            return
        if not sure:
            continue
        for step in planned if not host.state.is_executing else planned[:1]:
            host.log(f"{step}")
        step = planned[0]
        if str(step) in done or (isinstance(step, Pull) and step.model in pulled):
            yield refuse(f"{step}: was done, and is still to do")
            return
        if isinstance(step, Pull):
            pulled.add(step.model)
            done.clear()  # what was tried on weights that proved damaged is tried again
        else:
            done.add(str(step))
        yield command(step, settings, found)
    yield refuse(f"gave up after {MOST_STEPS} steps")


def refuse(message: str) -> FunctionCommand:
    """Fails this host, and no other, with one line; where a run is only looked at, says it now."""
    if not host.state.is_executing:
        say_once(host.name, message)

    def fail(state: State, host: Host, message: str) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
        host.log_styled(message, fg="red", log_func=logger.error)
        return False

    return FunctionCommand(fail, (message,), {})


def unread(found: Found | None) -> FunctionCommand:
    """Fails a host of which too little is known, with what keeps it from being known."""
    return refuse(UNREADABLE if found is None else found.lacks or f"Ollama does not answer{found.where}")


@cache
def say_once(name: str, message: str) -> None:
    """Tells of something on the host of this name, once a run: a plan that is shown first is made twice."""
    logger.info(f"    [{name}] {message}")


def command(step: Step, settings: Settings, found: Found) -> FunctionCommand:
    """A step as the one command that takes it on the host."""
    url, stdin = found.url or "", None
    if isinstance(step, Pull) and settings.model_registry:
        script = scripts.fetch(step, settings, url, settings.model_registry)
    elif isinstance(step, Pull):
        script = scripts.pull(step, settings, url)
    elif isinstance(step, Remove):
        script = scripts.remove(step, settings, url)
    else:
        script, stdin = scripts.rotate(step, settings, url, needs_gpu(settings, found)), scripts.rotate_stdin(step)
    return FunctionCommand(perform, (script, stdin), {})


def perform(state: State, host: Host, command: StringCommand, stdin: str | None = None) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    """Runs a script of ``host/``, whose every line is for people to see while it runs; whether it succeeded.

    + stdin: what it reads there, as it is: past a terminal, which would change it and show it
    """
    arguments = connector_arguments(host)
    if stdin is not None:
        arguments |= {"_stdin": stdin, "_get_pty": False}
    try:
        succeeded, output = host.run_shell_command(command, print_output=True, **arguments)
    except EOFError:  # see fact
        complain(BROKE)
        return False
    if not succeeded and not output.stderr_lines:  # a script that fails says why
        complain(BROKE)
    return bool(succeeded)


def connector_arguments(host: Host) -> ConnectorArguments:
    """What the operation at hand was given for the way into the host, such as ``_sudo``; a function is not."""
    given: dict[str, Any] = dict(host.current_op_global_arguments or {})
    return cast("ConnectorArguments", {key: given[key] for key in CONNECTOR_ARGUMENT_KEYS if key in given})

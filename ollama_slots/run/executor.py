"""Carry out plans: plan, take one step, and plan again from what the host has then."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, cast

from pyinfra import host
from pyinfra.api import FunctionCommand, Host, State, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments

from ollama_slots.core import places
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Pull, Remove, Step
from ollama_slots.host import scripts
from ollama_slots.run.session import BROKE, Commands, complain, hand_on, looks, nothing, read, refuse, unread

Plan = Callable[[Settings, Observed, bool], list[Step]]
Idle = Callable[[Settings, Observed], bool]
MOST_STEPS = 200  # more than any plan has: a plan that does not end is a defect, not a reason to go on


def take(settings: Settings, steps: Plan, settled: str, idle: Idle = lambda _, __: False) -> Commands:
    """Plan, take the first step, and plan again until no step is left: a step changes what later ones depend on.

    + steps: plans from settings, from what the host has, and whether it is the first time; its ValueError refuses
    + settled: what to say where nothing is to be done
    + idle: tells by what an earlier operation saw of the host whether that is enough to find that there is nothing
    """
    done: set[str] = set()
    pulled: set[str] = set()
    for observed, sure in chain(looks(settings), ((read(settings), True) for _ in range(MOST_STEPS))):
        if observed is None or observed.listed is None or observed.runners is None:
            yield unread(observed)
            return
        if reasons := places.refusals(settings, observed):
            yield refuse("; ".join(reasons))
            return
        try:
            if not sure and not idle(settings, observed):
                continue
            planned = steps(settings, observed, not done | pulled) if sure else []
        except ValueError as error:
            yield refuse(str(error))
            return
        if not planned:
            if not done | pulled:
                nothing(observed, settled)
            else:
                hand_on(observed)
            return
        for step in planned if not host.state.is_executing else planned[:1]:
            host.log(f"{step}")
        step = planned[0]
        if str(step) in done or (isinstance(step, Pull) and step.model in pulled):
            yield refuse(f"{step}: still needed after it ran; giving up")
            return
        if isinstance(step, Pull):
            pulled.add(step.model)
            done.clear()  # what was tried on weights that proved damaged is tried again
        else:
            done.add(str(step))
        yield command(step, settings, observed)
    yield refuse(f"gave up after {MOST_STEPS} steps: the plan does not end, which is a defect")


def command(step: Step, settings: Settings, observed: Observed) -> FunctionCommand:
    """Return the one command that takes a step on the host."""
    url, stdin = observed.url or "", None
    if isinstance(step, Pull) and settings.model_registry:
        script = scripts.fetch(step, settings, url, settings.model_registry)
    elif isinstance(step, Pull):
        script = scripts.pull(step, settings, url)
    elif isinstance(step, Remove):
        script = scripts.remove(step, settings, url)
    else:
        script = scripts.rotate(step, settings, url, needs_gpu(settings, observed) and not step.state.gpu)
        stdin = scripts.rotate_stdin(step)
    return FunctionCommand(perform, (script, stdin), {})


def perform(state: State, host: Host, command: StringCommand, stdin: str | None = None) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    """Run a script of host/ with its output shown as it comes; return whether it succeeded.

    + stdin: what it reads there, as it is: past a terminal, which would change it and show it
    """
    arguments = connector_arguments(host)
    if stdin is not None:
        arguments |= {"_stdin": stdin, "_get_pty": False}
    try:
        succeeded, output = host.run_shell_command(command, print_output=True, **arguments)
    except EOFError:  # see session.fact
        complain(BROKE)
        return False
    # A script that fails says why; to a terminal both of its outputs are one.
    if not succeeded and not (output.output_lines if arguments.get("_get_pty") else output.stderr_lines):
        complain(BROKE)
    return bool(succeeded)


def connector_arguments(host: Host) -> ConnectorArguments:
    """Return the connector arguments of the operation at hand, such as ``_sudo``; a function is not given them."""
    given: dict[str, Any] = dict(host.current_op_global_arguments or {})
    return cast("ConnectorArguments", {key: given[key] for key in CONNECTOR_ARGUMENT_KEYS if key in given})

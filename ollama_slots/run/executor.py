"""Carry out plans: plan, take one step, and plan again from what the host has then."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, cast

import click
from pyinfra import host
from pyinfra.api import FunctionCommand, Host, State, output
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments
from pyinfra.api.exceptions import FactProcessError

from ollama_slots import facts
from ollama_slots.core import places, plan
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Pull, Remove, Step
from ollama_slots.host import calls, scripts
from ollama_slots.run.errors import keep
from ollama_slots.run.session import (
    BREAKS,
    BROKE,
    Commands,
    complain,
    hand_on,
    leave,
    looks,
    nothing,
    overtaken,
    read,
    refuse,
    unread,
)

Plan = Callable[[Settings, Observed, bool], list[Step]]
MOST_STEPS = 200  # more than any plan has: a plan that does not end is a defect, not a reason to go on
OF_A_LOOK = re.compile(rf"\[[^\]]*\]\s+{re.escape(scripts.MARK)}")  # after the host, as pyinfra shows a line


def take(settings: Settings, steps: Plan, settled: str, by_look: bool = False) -> Commands:
    """Plan, take the first step, and plan again until no step is left: a step changes what later ones depend on.

    What it does not change is in the same command (``plan.together``).

    + steps: plans from settings, from what the host has, and whether nothing but pulls was done yet: then what
      cannot end well is refused still, for a host that has a model knows more of it than its registry told;
      its ValueError refuses
    + settled: what to say where nothing is to be done
    + by_look: a look tells whether that is so, which need not ask what models are made of (``plan.settled``)
    """
    taken = _Taken()
    for observed, since in chain(looks(settings), ((read(settings), "") for _ in range(MOST_STEPS))):
        if observed is None or observed.listed is None or observed.runners is None:
            yield unread(observed)
            return
        if reasons := places.refusals(settings, observed):
            yield refuse("; ".join(reasons))
            return
        try:
            planned = steps(settings, observed, not taken.done)
        except ValueError as error:
            yield refuse(str(error))
            return
        if not planned:
            if not taken:
                nothing(observed, settled)
            else:
                hand_on(observed)
            return
        batch = plan.together(planned)
        for step in planned if not host.state.is_executing else batch:
            host.log(f"{step}")
        if again := taken.again(batch):
            yield refuse(f"{again}: still needed after it ran; giving up")
            return
        over = by_look and batch == planned and not any(isinstance(it, Pull) for it in batch)
        yield command(batch, settings, observed, since, () if over else plan.asked(settings, observed))
        if overtaken():
            taken.forget(batch)
    yield refuse(f"gave up after {MOST_STEPS} steps: the plan does not end, which is a defect")


class _Taken:
    """The steps that were taken."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.pulled: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.done or self.pulled)

    def again(self, batch: list[Step]) -> Step | None:
        """Note steps that are about to be taken; return one that was taken before."""
        for step in batch:
            if str(step) in self.done or (isinstance(step, Pull) and step.model in self.pulled):
                return step
            if isinstance(step, Pull):
                self.pulled.add(step.model)
                self.done.clear()  # what was tried on weights that proved damaged is tried again
            else:
                self.done.add(str(step))
        return None

    def forget(self, batch: list[Step]) -> None:
        """Forget steps that were not taken."""
        self.done.difference_update(map(str, batch))
        self.pulled.difference_update(it.model for it in batch if isinstance(it, Pull))


def command(
    steps: Sequence[Step], settings: Settings, observed: Observed, since: str = "", models: tuple[str, ...] = ()
) -> FunctionCommand:
    """Return the one command that takes steps on the host, one after the other.

    + since, models: as for ``perform``
    """
    wanted = [script(it, settings, observed) for it in steps]
    return FunctionCommand(perform, (settings, wanted, since, models), {})


def script(step: Step, settings: Settings, observed: Observed) -> scripts.Script:
    """Return the script that takes a step on the host."""
    url = observed.url or ""
    if isinstance(step, Pull) and settings.model_registry:
        return calls.fetch(step, settings, url, settings.model_registry)
    if isinstance(step, Pull):
        return calls.pull(step, settings, url)
    if isinstance(step, Remove):
        return calls.remove(step, settings, url)
    return calls.rotate(step, settings, url, needs_gpu(settings, observed) and not step.state.gpu)


def perform(
    state: State,  # noqa: ARG001 (pyinfra calls by these names)
    host: Host,
    settings: Settings,
    wanted: Sequence[scripts.Script],
    since: str = "",
    models: tuple[str, ...] = (),
) -> bool:
    """Run scripts in one command, and look at the host at its end; return whether they succeeded.

    + since: what the host said when it was looked at; where it says otherwise now, nothing is done (``overtaken``)
    + models: what is asked about at the end, too

    What they read on stdin goes past a terminal, which would change it and show it. What they print is shown as it
    comes, and what the look prints is not.
    """
    _hide_looks()
    arguments = connector_arguments(host)
    if stdin := "".join(it.stdin for it in wanted):
        arguments |= {"_stdin": stdin, "_get_pty": False}
    look = calls.probe(settings, "yes" if models else "no", models)
    try:
        succeeded, said = host.run_shell_command(
            scripts.command(*wanted, look, unit=settings.ollama_unit, since=since), print_output=True, **arguments
        )
    except BREAKS:
        complain(BROKE)
        return False
    # A script that fails says why; to a terminal both of its outputs are one.
    if not succeeded:
        why = [it for it in (said.output_lines if arguments.get("_get_pty") else said.stderr_lines) if it.strip()]
        if why:
            keep(host, why[-1])
        else:
            complain(BROKE)
    if succeeded:
        with suppress(FactProcessError):  # it is read again by itself, and why it cannot be is told then
            leave(facts.left(settings.ollama_unit, models, said.stdout_lines))
    return bool(succeeded)


def _hide_looks() -> None:
    """Have pyinfra, which shows what a command prints, leave out what is for us."""
    if output.is_output_active():
        output.set_echo(_shown)


def _shown(message: Any = None, **how: Any) -> None:
    if not OF_A_LOOK.match(click.unstyle(f"{message}")):
        click.echo(message, **how)


def connector_arguments(host: Host) -> ConnectorArguments:
    """Return the connector arguments of the operation at hand, such as ``_sudo``; a function is not given them."""
    given: dict[str, Any] = dict(host.current_op_global_arguments or {})
    return cast("ConnectorArguments", {key: given[key] for key in CONNECTOR_ARGUMENT_KEYS if key in given})

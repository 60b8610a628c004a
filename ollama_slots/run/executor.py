"""Carries out plans: plans, takes one step, and plans again from what the host has then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, cast

from pyinfra import host
from pyinfra.api import FunctionCommand, Host, State, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments

from ollama_slots.core import names
from ollama_slots.core.observed import Observed
from ollama_slots.core.rendered import Files
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Pull, Remove, Step
from ollama_slots.facts import script
from ollama_slots.host import render
from ollama_slots.run.session import BROKE, Commands, complain, looks, nothing, read, refuse, unread

Plan = Callable[[Settings, Observed, bool], list[Step]]
MOST_STEPS = 200  # more than any plan has: a plan that does not end is a defect, not a reason to go on


def take(settings: Settings, steps: Plan, settled: str) -> Commands:
    """Plans, takes the first step, and again until there is none: a step changes what the later ones depend on.

    + steps: plans from settings, from what the host has, and whether it is the first time; its ValueError refuses
    + settled: what to say where nothing is to be done
    """
    done: set[str] = set()
    pulled: set[str] = set()
    for observed, sure in chain(looks(settings), ((read(settings), True) for _ in range(MOST_STEPS))):
        if observed is None or observed.listed is None or observed.runners is None:
            yield unread(observed)
            return
        try:
            planned = steps(settings, observed, not done | pulled)
        except ValueError as error:
            yield refuse(str(error))
            return
        if not planned:
            if not done | pulled:
                nothing(observed, settled)
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
        yield command(step, settings, observed)
    yield refuse(f"gave up after {MOST_STEPS} steps")


def install(files: Files, paths: Iterable[str]) -> StringCommand:
    """Puts these of the files in place, each whole or not at all; a file is its mode and its text, by path."""
    arguments = [it for path in paths for it in (path, *files[path])]
    return script(render.host_script("install"), *arguments)


def command(step: Step, settings: Settings, observed: Observed) -> FunctionCommand:
    """A step as the one command that takes it on the host."""
    url, lock_seconds = observed.url or "", settings.lock_seconds
    if isinstance(step, Pull):
        return FunctionCommand(perform, (_pull(step, settings, url),), {})
    if isinstance(step, Remove):
        text = render.host_script("ask", "engine", "store", "moves", "bases", "unfinished", "remove")
        blobs = " ".join(it.removeprefix("sha256:") for it in step.discard)
        what = (step.unload or "", step.put_back or "", step.forget or "", blobs, *step.delete)
        return FunctionCommand(perform, (script(text, url, lock_seconds, *what),), {})
    name = step.target.slot.name
    flags = (needs_gpu(settings, observed), step.make_room, step.unload_old, step.alone)
    rotate = script(
        render.host_script("ask", "engine", "store", "moves", "rotate"),
        url,
        render.keep_alive(settings),
        settings.load_seconds,
        lock_seconds,
        name,
        step.modelfile,
        step.state.lines(),
        step.state.weights,
        step.state.context,
        " ".join(step.known),
        *("yes" if flag else "no" for flag in flags),
    )
    return FunctionCommand(perform, (rotate,), {})


def _pull(step: Pull, settings: Settings, url: str) -> StringCommand:
    """By the engine from the model's own registry; from a mirror past it, for it would take that for the name."""
    bounds = (settings.pull_stall_seconds, settings.pull_seconds, settings.lock_seconds)
    rest = (*bounds, "yes" if step.ours else "no", step.damaged or "")
    shared = ("ask", "engine", "store", "moves", "bases", "unfinished", "pulling")
    if settings.model_registry is None:
        insecure = str(settings.pull_insecure).lower()
        return script(render.host_script(*shared, "pull"), url, step.model, insecure, *rest)
    name = names.parse(step.model)
    where = (settings.model_registry, name.repository, name.tag.lower())
    text = render.host_script(*shared, "fetch")
    return script(text, url, step.model, "/".join(name), *where, *rest)


def perform(state: State, host: Host, command: StringCommand) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    """Runs a script of ``host/``, whose every line is for people to see while it runs; whether it succeeded."""
    try:
        succeeded, output = host.run_shell_command(command, print_output=True, **connector_arguments(host))
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

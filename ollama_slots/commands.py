"""Steps as the commands that take them, and how a host is told of, refused and given files."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Any, cast

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, Host, State, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments
from pyinfra.api.command import PyinfraCommand

from ollama_slots import plan, render
from ollama_slots.facts import script
from ollama_slots.found import Found
from ollama_slots.residency import needs_gpu
from ollama_slots.settings import Settings


def refuse(message: str) -> FunctionCommand:
    """Fails this host, and no other, with one line; where a run is only looked at, says it now."""
    if not host.state.is_executing:
        say_once(host.name, message)

    def fail(state: State, host: Host, message: str) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
        host.log_styled(message, fg="red", log_func=logger.error)
        return False

    return FunctionCommand(fail, (message,), {})


@cache
def say_once(name: str, message: str) -> None:
    """Tells of something on the host of this name, once a run: a plan that is shown first is made twice."""
    logger.info(f"    [{name}] {message}")


def differing(files: dict[str, tuple[str, str]], found: Found) -> list[str]:
    """The paths whose content on the host differs."""
    return [
        path for path, (_, text) in files.items() if found.files.get(path) != sha256(text.encode()).hexdigest()
    ]


def install(files: dict[str, tuple[str, str]], paths: Iterable[str]) -> StringCommand:
    """Puts these of the files in place, each whole or not at all; a file is its mode and its text, by path."""
    arguments = [it for path in paths for it in (path, *files[path])]
    return script(render.host_script("install"), *arguments)


def command(step: plan.Step, settings: Settings, found: Found) -> PyinfraCommand:
    """A step as the one command that takes it on the host."""
    url, lock_seconds = settings.ollama_url, settings.lock_seconds
    if isinstance(step, plan.Pull):
        pull = script(
            render.host_script("pull"),
            url,
            step.model,
            str(settings.pull_insecure).lower(),
            settings.pull_stall_seconds,
            settings.pull_seconds,
        )
        return FunctionCommand(_show, (pull,), {})
    if isinstance(step, plan.Remove):
        text = render.host_script("engine", "remove")
        return script(text, url, lock_seconds, step.unload or "", step.forget or "", *step.delete)
    name = step.target.slot.name
    flags = (needs_gpu(settings, found), step.make_room, step.unload_old, step.alone)
    return script(
        render.host_script("engine", "rotate"),
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


def _show(state: State, host: Host, command: StringCommand) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    """Runs a long command whose every line is for people to see while it runs."""
    succeeded, _ = host.run_shell_command(command, print_output=True, **connector_arguments(host))
    return bool(succeeded)


def connector_arguments(host: Host) -> ConnectorArguments:
    """What the operation at hand was given for the way into the host, such as ``_sudo``; a function is not."""
    given: dict[str, Any] = dict(host.current_op_global_arguments or {})
    return cast("ConnectorArguments", {key: given[key] for key in CONNECTOR_ARGUMENT_KEYS if key in given})

"""A slot on a directory that is a host, and what has it asked: all but the connector is the product's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pyinfra.api import Host, StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from ollama_slots.benchmark.asking import hosts
from ollama_slots.benchmark.asking.ask import Send, Slot
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.items.checks import Exactly, Letter
from ollama_slots.benchmark.items.item import Answer, Item
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds

SETTINGS = declared("a:1b")


class Connected:
    """As much of pyinfra's host as asking needs."""

    current_op_global_arguments: dict[str, Any]
    name = "gpu1"

    def __init__(self, host: DirectoryHost) -> None:
        self.host = host
        self.current_op_global_arguments = {"_get_pty": True}
        self.groups: list[str] = []
        self.commands = 0
        self.between: Callable[[], object] = lambda: None  # what happens before each command

    def run_shell_command(self, command: StringCommand, **arguments: Any) -> tuple[bool, CommandOutput]:
        assert arguments["_get_pty"] is False
        assert "print_output" not in arguments
        self.commands += 1
        self.between()
        done = self.host.perform(command, arguments["_stdin"])
        # Paths as a host's own, whose root is no directory.
        lines = [OutputLine("stdout", it) for it in done.out.replace(str(self.host.root), "").split("\n")]
        return done.code == 0, CommandOutput(lines + [OutputLine("stderr", it) for it in done.err.split("\n")])


def slot(host: DirectoryHost) -> Slot:
    """The slot ``one``, which holds a model and is resident."""
    holds(host, "one", "a:1b")
    return hosts.slot(host.found(SETTINGS), "one")


def sender(connected: Connected, asked: Slot) -> Send:
    return hosts.sender(cast("Host", connected), SETTINGS, connected.host.found(SETTINGS), asked)


def item(number: int, prompt: str = "", tokens: int = 9) -> Item:
    return Item(
        f"test/{number}", prompt or f"What is {number}?", Exactly(f"{number}"), tokens, Answer(f"{number}")
    )


def choice(number: int) -> Item:
    return Item(f"choice/{number}", f"{number}?", Letter("A"), 1, Answer("A"))


def told() -> tuple[list[str], Callable[[str], None]]:
    lines: list[str] = []
    return lines, lines.append


def without_seconds(kept: Kept) -> list[str]:
    """The lines of the file, but for what the clock has said."""
    lines = kept.path.read_text().splitlines()
    return [it.partition(',"seconds":')[0] + it.partition(',"seconds":')[2].partition("]")[2] for it in lines]

"""Whether a script that failed has said why."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from ollama_slots.run import executor
from ollama_slots.run.session import BROKE


class Failing:
    """A host on which every command fails, having printed these lines: by their output, the text."""

    def __init__(self, lines: list[tuple[str, str]], terminal: bool) -> None:
        self.current_op_global_arguments: dict[str, Any] = {"_get_pty": terminal}
        self.lines = lines

    def run_shell_command(self, *_: object, **__: object) -> tuple[bool, CommandOutput]:
        return False, CommandOutput([OutputLine(*it) for it in self.lines])


@pytest.mark.parametrize(
    ("lines", "terminal", "broke"),
    [
        ([("stderr", "slot one: no room")], False, False),
        ([("stdout", "x:7b: 1 of 2 MB")], False, True),
        ([], False, True),
        ([("stdout", "slot one: no room")], True, False),
        ([], True, True),
    ],
)
def test_a_script_that_says_nothing_was_cut_off(
    lines: list[tuple[str, str]], terminal: bool, broke: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(executor, "complain", told.append)
    host: Any = Failing(lines, terminal)
    assert executor.perform(None, host, StringCommand("false")) is False  # type: ignore[arg-type]
    assert told == [BROKE] * broke

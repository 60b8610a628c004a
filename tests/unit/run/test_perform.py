"""Whether a script that failed has said why."""

from __future__ import annotations

from typing import Any

import click
import pytest
from pyinfra.api import output
from pyinfra.connectors.util import CommandOutput, OutputLine

from ollama_slots.host import calls
from ollama_slots.run import executor
from ollama_slots.run.session import BROKE
from tests.unit.declared import declared


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
    kept: list[str] = []
    monkeypatch.setattr(executor, "complain", told.append)
    monkeypatch.setattr(executor, "keep", lambda _, line: kept.append(line))
    host: Any = Failing(lines, terminal)
    assert executor.perform(None, host, declared("a:1b"), [calls.stored()]) is False  # type: ignore[arg-type]
    assert told == [BROKE] * broke
    assert kept == ["slot one: no room"] * (not broke)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("[gpu1]   slots|== units", False),
        ("[\x1b[1mgpu-a.example\x1b[0m] slots|{}", False),
        ("[gpu1]   x:7b: 1 of 2 MB", True),
        ("[gpu1]   error: no such file: slots|x", True),
        ("slots|x", True),
    ],
)
def test_what_a_look_prints_is_shown_to_nobody(
    line: str, shown: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_echo", click.echo)  # as pyinfra's command does
    executor._hide_looks()
    output.echo(line, err=True)
    assert bool(capsys.readouterr().err) is shown

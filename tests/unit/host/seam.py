"""The way to the scripts of host/: how a test has one run below a directory."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from pyinfra.api import QuoteString, StringCommand

from ollama_slots.core import units
from ollama_slots.host import scripts


def script(which: str, root: Path, /, *lists: str, unit: str = units.DEFAULT, **arguments: str | int) -> list[str]:
    """The words of a command that runs a script; what it takes and is not named here is empty."""
    given: dict[str, str | int] = {it: arguments.pop(it, "") for it in scripts.said(which, "takes") or []}
    return [
        "sh",
        "-c",
        scripts.text(which, root=str(root), unit=unit, **given, **arguments),
        "ollama-slots",
        *lists,
    ]


def words(command: StringCommand, root: Path) -> list[str]:
    """Those of a command of the product's, which is for a host that is no directory."""
    plain = [str(it.obj) if isinstance(it, QuoteString) else str(it) for it in command.bits]
    given = [it.replace(r"root=\0047\0047\n", scripts.escaped(f"root={quote(str(root))}\n"), 1) for it in plain]
    assert given != plain
    return given


def sent(text: str) -> str:
    """What was sent so, as printf has it."""
    for it, escape in reversed(scripts.ESCAPES.items()):
        text = text.replace(escape, it)
    return text


def marked(lines: list[str]) -> list[str]:
    """What a script printed, as it comes over the connection."""
    return [scripts.MARK + joined(lines)]


def joined(lines: list[str]) -> str:
    """The same without the mark."""
    return "".join(f"{line}{scripts.NEWLINE}" for line in lines)

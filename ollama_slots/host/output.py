"""Read what came over a connection: the lines that a script of this room printed, and their sections."""

from __future__ import annotations

from ollama_slots.host import scripts


def own(output: list[str]) -> list[str]:
    """Return the lines that a script of ours printed, of all that came over the connection.

    Left out is what a login shell, a message of the day or a notice says, and of a terminal what it does to lines.

    Raises ValueError where none is ours.
    """
    texts = [line.partition(scripts.MARK)[2].rstrip("\r\n") for line in output if scripts.MARK in line]
    if not texts:
        said = " ".join(f"{ascii(line)[1:-1]}" for line in output if line.strip())
        raise ValueError(f"expected the output of a script, found {said[:120] or 'nothing'}")
    return [line for it in texts for line in it.removesuffix(scripts.NEWLINE).split(scripts.NEWLINE)]


def sections(output: list[str]) -> dict[str, list[str]]:
    """Return the lines after each ``== NAME`` line, by NAME."""
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output:
        if line.startswith("== "):
            lines = parts.setdefault(line.removeprefix("== "), [])
        else:
            lines.append(line)
    return parts

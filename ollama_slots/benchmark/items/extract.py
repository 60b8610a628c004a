"""Find the answer where an item wants it, and nowhere else."""

from __future__ import annotations

import re

from ollama_slots.benchmark.items.item import NotAnsweredError

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
LINE = "Answer:"
ASKED_FOR = f"End with a line of its own: `{LINE} ` and then the {{}}, nothing else."
LONGEST = 2000  # characters of a value


def program(text: str) -> str:
    """Return the first code block of an answer; the whole of an answer that has none.

    A block that is not closed goes to the end. Raises NotAnsweredError where there is nothing.
    """
    opened = FENCE.search(text)
    found = text
    if opened:
        closed = re.compile(rf"^ {{0,3}}{opened[1]}\s*$", re.MULTILINE).search(text, opened.end())
        found = text[opened.end() : closed.start() if closed else len(text)]
    if not found.strip():
        raise NotAnsweredError("expected a program, found none")
    return found.strip("\n") + "\n"


def whole(text: str) -> str:
    """Return an answer that is a value and nothing else, without what is typeset around it."""
    return _bare(text, "an answer")


def last_line(text: str) -> str:
    """Return what stands behind ``Answer:`` in the last line. Raises NotAnsweredError where it does not."""
    lines = [it.strip() for it in text.strip().splitlines()]
    last = lines[-1] if lines else ""
    found = re.fullmatch(rf"(\**|_*|`){LINE}(\**)\s*(.+?)", last)
    if not found:
        raise NotAnsweredError(f"expected a last line that begins with {LINE}, found {last[:60]!r}")
    value = found[3]
    if found[1] and not found[2]:  # the whole line is typeset
        value = value.removesuffix(found[1])
    return _bare(value, f"a value behind {LINE}")


def _bare(text: str, wanted: str) -> str:
    """Return a value without the marks that Markdown puts around one, and the full stop behind them."""
    value = text.strip()
    for mark in ("**", "`"):
        found = re.fullmatch(rf"{re.escape(mark)}(.+){re.escape(mark)}\.?", value, re.DOTALL)
        value = found[1].strip() if found else value
    if not value:
        raise NotAnsweredError(f"expected {wanted}, found nothing")
    if len(value) > LONGEST:
        raise NotAnsweredError(f"expected {wanted}, found {len(value)} characters")
    return value

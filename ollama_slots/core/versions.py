"""Decide by its version whether an Ollama is supported."""

from __future__ import annotations

import re

OLDEST = (0, 10)  # before it, /api/ps does not show a model's window, and nothing can be proven
FILES = (0, 34)  # the last of those whose names are files as moves.sh knows them
GUESSES = (0, 30)  # the first that goes by a guess of a model's memory; before, it tries what fits
COPIES = (0, 40)  # the first whose own copy replaces a name in one step
RANGE = "0.10 to 0.34, and 0.40"


def _number(version: str) -> tuple[int, int] | None:
    """Return the first two parts of a version; None if it is none, as of a build from source (0.0.0)."""
    parts = re.match(r"v?(\d+)\.(\d+)\.", version)
    number = (int(parts[1]), int(parts[2])) if parts else None
    return None if number == (0, 0) else number


def refusal(version: str | None) -> str | None:
    """Return why a version of Ollama is not supported, or None.

    + version: as /api/version says it; None where it does not answer
    """
    number = _number(version or "")
    if number is None or number >= OLDEST:
        return None
    return f"Ollama: expected version {RANGE}, found {version}, which does not report context windows: update it"


def known(version: str | None) -> bool:
    """Return whether it is known how a version of Ollama keeps its models."""
    number = _number(version or "")
    return number is not None and (number <= FILES or number == COPIES)


def moves_files(version: str | None) -> bool:
    """Return whether names are moved as files, past Ollama (host/moves.sh)."""
    number = _number(version or "")
    return number is not None and number <= FILES


def notice(version: str | None) -> str | None:
    """Return the notice for an untested version of Ollama, or None."""
    if version is None or known(version):
        return None
    return (
        f"Ollama {version} is untested (tested: {RANGE}): "
        "names are moved by Ollama's own copy, and a request in that moment may fail"
    )


def guesses(version: str | None) -> bool:
    """Return whether a version of Ollama places models by a guess of their memory; an unknown one does."""
    return at_least(version, GUESSES)


def at_least(version: str | None, first: tuple[int, int]) -> bool:
    """Return whether a version of Ollama is this one or a later one; an unknown one is."""
    number = _number(version or "")
    return number is None or number >= first

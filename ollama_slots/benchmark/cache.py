"""What is slow to get, and kept on this machine for every run."""

from __future__ import annotations

import os
from pathlib import Path


class BenchmarkError(Exception):
    """Why nothing can be measured, in one line for a person."""


def cache() -> Path:
    """Return the directory that keeps it, the user's own, made where it is not there.

    Raises BenchmarkError where it cannot be.
    """
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ollama-slots"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchmarkError(
            f"{directory}: expected to keep things there, found {error.strerror}: "
            "make it writable, or set XDG_CACHE_HOME"
        ) from None
    return directory

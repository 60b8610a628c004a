"""Write the report of a run: a file with the table of all slots, or the same for programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core.ending import Ended, programs_text, text

DEFAULT = "ollama-slots-report.txt"  # of many hosts, beside pyinfra's own log


def check(path: str) -> None:
    """Check that a report can be written there: before the run, for after it is too late.

    Raises PyinfraError with one line.
    """
    try:
        file = Path(path).resolve()
        if not file.parent.is_dir():
            raise PyinfraError(
                f"report: expected a file in a directory, found no directory {file.parent}: make it"
            )
        if file.exists() and not file.is_file():
            raise PyinfraError(f"report: expected a file, found {file}, which is none: choose another name")
        for it in (file, _unfinished(file)):
            with suppress(FileNotFoundError):
                it.stat()
    except OSError as error:
        raise PyinfraError(
            f"report: expected a file to write, found {path:.60}: {error.strerror}: choose another name"
        ) from None
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise PyinfraError(f"report: expected a directory to write to, found {file.parent}: choose another")


def write(path: str, hosts: Mapping[str, Ended]) -> None:
    """Write how a run has ended for these hosts, whole or not at all; of a name in .json it is for programs.

    Raises OSError; then the file of an earlier run is gone, too, for nobody is to take it for this one's.
    """
    file = Path(path).resolve()  # of a link what it points to, for a rename would replace the link
    unfinished = _unfinished(file)
    try:
        unfinished.write_text((programs_text if file.suffix == ".json" else text)(hosts), encoding="utf-8")
        unfinished.replace(file)
    except OSError:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def _unfinished(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}")

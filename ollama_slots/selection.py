"""Read model_selection.json: a model for each of slots 1 to 3.

``ollama-slots-selection FILE`` prints which model gets which slot, and why; ``--json`` for programs.
"""

from __future__ import annotations

import argparse
import codecs
import json
import sys
from functools import cache
from pathlib import Path

from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core.selection import Choice, Selection, choose, parse

DEFAULT = "model_selection.json"  # beside deploy.py; the one file that need not be there


def read(path: str | Path) -> tuple[Selection, dict[int, Choice]] | None:
    """Return a selection file's content and the choice made from it, or None where there is no such file.

    Raises PyinfraError with one line that names the file, the key and what was expected, so that a run which
    meets a bad file ends before any host is contacted.
    """
    try:
        selection = parse(decoded(Path(path).read_bytes()))
        return selection, choose(selection)
    except FileNotFoundError:
        if not Path(path).is_symlink():
            return None
        raise PyinfraError(f"{path}: expected a selection file, found a link to nowhere") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PyinfraError(f"{path}: {reason}") from None


def decoded(content: bytes) -> str:
    """Decode a file's content: UTF-8, or what the mark at its begin says, such as of a PowerShell's ``>``.

    Raises ValueError with one line where it is neither.
    """
    marks = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    encoding = marks.get(content[:2], "utf-8-sig")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        wanted = encoding.upper().removesuffix("-SIG")
        raise ValueError(f"expected {wanted}, found other bytes at {error.start}: save it as UTF-8") from None


_named: set[Path] = set()  # files that the data have asked for


def slot_models(path: str | Path) -> dict[str, str]:
    """Return host data from a selection file: ``slot1_model`` to ``slot3_model``.

    + path: the file, relative to where pyinfra runs

    For ``group_data`` and for a single host's data in ``inventory.py``. Slot 4 is never taken from the file.
    Without a file it is nothing where that is ``model_selection.json`` beside deploy.py, else an error.
    Raises PyinfraError as ``read`` does.
    """
    _named.add(Path(path).resolve())
    try:
        written = Path(path).stat().st_mtime_ns
    except OSError:
        written = 0  # it is not there, or cannot be read, which ``read`` says
    return dict(_slot_models(Path(path).absolute(), f"{path}", written))


@cache  # a fleet's hosts mostly have the same one, and its notices come once a run
def _slot_models(path: Path, name: str, written: int) -> dict[str, str]:  # noqa: ARG001 (what it is kept by)
    content = read(name)
    if content is None and path == Path(DEFAULT).absolute():
        if found := _elsewhere():
            raise PyinfraError(
                f"{DEFAULT}: expected where pyinfra runs, found only {found}: "
                f"run pyinfra there (cd {found.parent})"
            )
        return {}
    if content is None:
        raise PyinfraError(
            f"{name}: expected a selection file, found none: correct its path, which begins where pyinfra runs"
        )
    selection, chosen = content
    for notice in selection.notices:
        logger.warning(f"{name}: {notice}")
    return {f"slot{slot}_model": choice.model for slot, choice in chosen.items()}


def _elsewhere() -> Path | None:
    """Return the selection file beside the files that pyinfra was told to run, where it runs somewhere else.

    Beside an inventory, which comes first, a file is one of its hosts', and counts where they name it.
    """
    program = Path(sys.argv[0])
    if "pyinfra" not in (program.name, program.parent.name):  # by itself, or python -m pyinfra
        return None
    given = [it for it in sys.argv[1:] if it.endswith(".py")]
    beside = (Path(it).resolve().parent / DEFAULT for it in given[1:] or given)
    return next((it for it in beside if it.is_file() and it not in _named), None)


def main() -> int:
    """Print the slots of one file, and return the exit code."""
    parser = argparse.ArgumentParser(prog="ollama-slots-selection", description=main.__doc__)
    parser.add_argument("file", help="a model_selection.json")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        content = read(arguments.file)
    except PyinfraError as error:
        print(error, file=sys.stderr)
        return 1
    if content is None:
        print(f"{arguments.file}: expected a selection file, found none there", file=sys.stderr)
        return 1
    selection, chosen = content
    for notice in selection.notices:
        print(f"{arguments.file}: {notice}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({f"slot{slot}": choice._asdict() for slot, choice in chosen.items()}))
        return 0
    width = max(len(choice.model) for choice in chosen.values())
    for slot, choice in chosen.items():
        print(f"slot {slot}  {choice.model:<{width}}  {choice.why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""model_selection.json to a model for slots 1 to 3. Pure but for reading the one file.

``python -m ollama_slots.selection FILE`` prints which model gets which slot, and why; ``--json`` for programs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError

from ollama_slots import names
from ollama_slots.selection_file import SLOT_KEYS, Selection, parse


class Choice(NamedTuple):
    """The model that a slot gets, and why."""

    model: str
    why: str


class Candidate(NamedTuple):
    """A model with both composites."""

    model: str
    coding: float
    general: float
    tokens_per_second: float


def choose(selection: Selection) -> dict[int, Choice]:
    """A model for each of slots 1, 2 and 3.

    + selection: the file's content; its explicit slot keys win, the rest is computed from its results:
      slot 1 the highest coding composite, slot 2 the highest general composite, slot 3 the highest mean of both
      among the models that hold neither. Ties: more tokens per second, then name.

    Raises ValueError where there is nothing to choose a slot from.
    """
    candidates = [
        Candidate(model, metrics.coding, metrics.general, metrics.tokens_per_second)
        for model, metrics in selection.results.items()
        if metrics.coding is not None and metrics.general is not None
    ]
    rules: dict[int, tuple[str, Callable[[Candidate], float]]] = {
        1: ("best coding composite", lambda candidate: candidate.coding),
        2: ("best general composite", lambda candidate: candidate.general),
        3: ("best mean of the rest", lambda candidate: (candidate.coding + candidate.general) / 2),
    }
    chosen: dict[int, Choice] = {}
    for slot, (rule, score) in rules.items():
        explicit = getattr(selection, SLOT_KEYS[slot])
        if explicit is not None:
            chosen[slot] = Choice(explicit, "explicit")
            continue
        taken = {names.parse(choice.model).key for choice in chosen.values()} if slot == 3 else set()
        free = [candidate for candidate in candidates if names.parse(candidate.model).key not in taken]
        if not free:
            raise ValueError(
                f"{SLOT_KEYS[slot]}: expected a model name, or results with coding_composite and "
                f"general_composite to choose one from; found {len(candidates)} such models, {len(taken)} in use"
            )
        best = min(free, key=lambda c: (-score(c), -c.tokens_per_second, names.parse(c.model).key, c.model))
        chosen[slot] = Choice(best.model, f"{rule} {score(best):.3f}")
    return chosen


def read(path: str | Path) -> tuple[Selection, dict[int, Choice]] | None:
    """A selection file's content and the choice made from it, or None where there is no such file.

    Raises PyinfraError with one line that names the file, the key and what was expected, so that a run which
    meets a bad file ends before any host is contacted.
    """
    try:
        selection = parse(Path(path).read_text(encoding="utf-8"))
        return selection, choose(selection)
    except FileNotFoundError:
        if not Path(path).is_symlink():
            return None
        raise PyinfraError(f"{path}: expected a selection file, found a link to nowhere") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PyinfraError(f"{path}: {reason}") from None


def slot_models(path: str | Path) -> dict[str, str]:
    """Host data from a selection file: ``slot1_model`` to ``slot3_model``, or nothing where there is no file.

    + path: the file, relative to where pyinfra runs

    For ``group_data`` and for a single host's data in ``inventory.py``. Slot 4 is never taken from the file.
    Raises PyinfraError as ``read`` does.
    """
    found = read(path)
    if found is None:
        return {}
    selection, chosen = found
    if selection.slot4_experimental is not None:
        logger.warning(f"{path}: slot4_experimental is ignored; slot 4 is set with --data slot4_model=MODEL")
    return {f"slot{slot}_model": choice.model for slot, choice in chosen.items()}


def main() -> int:
    """The command: prints the slots of one file, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ollama_slots.selection", description=main.__doc__)
    parser.add_argument("file", help="a model_selection.json")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        found = read(arguments.file)
    except PyinfraError as error:
        print(error, file=sys.stderr)
        return 1
    if found is None:
        print(f"{arguments.file}: expected a selection file, found none there", file=sys.stderr)
        return 1
    _, chosen = found
    if arguments.json:
        print(json.dumps({f"slot{slot}": choice._asdict() for slot, choice in chosen.items()}))
        return 0
    width = max(len(choice.model) for choice in chosen.values())
    for slot, choice in chosen.items():
        print(f"slot {slot}  {choice.model:<{width}}  {choice.why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

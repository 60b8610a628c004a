"""model_selection.json to a model for slots 1 to 3. Pure but for reading the one file.

``python -m ollama_slots.selection FILE`` prints which model gets which slot, and why; ``--json`` for programs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError

from ollama_slots import names
from ollama_slots.errors import first_error

SLOT_KEYS = {1: "slot1_coding", 2: "slot2_general", 3: "slot3_backup"}


class Choice(NamedTuple):
    """The model that a slot gets, and why."""

    model: str
    why: str


class Metrics(BaseModel):
    """What a benchmark measured of one model; a composite goes from 0 to 1, None where it is missing."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    coding: float | None = Field(None, alias="coding_composite", ge=0, le=1)
    general: float | None = Field(None, alias="general_composite", ge=0, le=1)
    tokens_per_sec: float | None = Field(None, ge=0)
    avg_tok_per_sec: float | None = Field(None, ge=0)

    @property
    def tokens_per_second(self) -> float:
        """By whichever of the two names it was measured; what was not measured is slowest."""
        return self.tokens_per_sec or self.avg_tok_per_sec or 0.0


class Selection(BaseModel):
    """A selection file. Keys of no slot are ignored; an unknown slot key is an error (it is a misspelt one)."""

    model_config = ConfigDict(strict=True)

    slot1_coding: str | None = None
    slot2_general: str | None = None
    slot3_backup: str | None = None
    slot4_experimental: str | None = None
    results: dict[str, Metrics] = Field(
        default_factory=dict, validation_alias=AliasChoices("results", "all_metrics")
    )

    @field_validator("slot1_coding", "slot2_general", "slot3_backup", "slot4_experimental")
    @classmethod
    def _is_model_name(cls, value: str | None) -> str | None:
        if value is not None:
            names.parse(value)
        return value

    @field_validator("results")
    @classmethod
    def _are_model_names(cls, value: dict[str, Metrics]) -> dict[str, Metrics]:
        for name in value:
            names.parse(name)
        return value


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


def parse(text: str) -> Selection:
    """A selection file's text to its checked content.

    Raises ValueError with one line that names the key and what was expected.
    """

    def not_a_number(token: str) -> float:
        raise ValueError(f"{token} is not a JSON number")

    if not text.strip():
        raise ValueError("expected a JSON object, found an empty file")
    try:
        content: Any = json.loads(text, parse_constant=not_a_number)
    except RecursionError:
        raise ValueError("expected a JSON object, found one nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, found something else at line {error.lineno}: {error.msg}") from None
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, found a {type(content).__name__}")
    known = {*SLOT_KEYS.values(), "slot4_experimental"}
    for key in content:
        if key.lower().startswith("slot") and key not in known:
            raise ValueError(f"{key[:60]!r}: unknown slot key, expected one of {', '.join(sorted(known))}")
    try:
        return Selection.model_validate(content)
    except ValidationError as error:
        raise ValueError(first_error(error)) from None


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

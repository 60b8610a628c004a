"""Check the content of a model_selection.json, and choose the models of slots 1 to 3 from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from ollama_slots.core import names
from ollama_slots.core.errors import first_error
from ollama_slots.core.settings import EMPTY

SLOT_KEYS = {1: "slot1_coding", 2: "slot2_general", 3: "slot3_backup"}


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


def _is_none(name: str) -> bool:
    """Return whether a name is the word that empties a slot. A program wrote it; only a person empties one."""
    return name.lower() == EMPTY


class Selection(BaseModel):
    """A selection file; "none" in it is no model, and no choice.

    Keys of no slot are ignored; an unknown slot key is an error (it is a misspelt one).
    """

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
        if value is None or _is_none(value):
            return None
        names.parse(value)
        return value

    @field_validator("results")
    @classmethod
    def _are_model_names(cls, value: dict[str, Metrics]) -> dict[str, Metrics]:
        for name in value:
            names.parse(name)
        return {name: metrics for name, metrics in value.items() if not _is_none(name)}


def parse(text: str) -> Selection:
    """Parse and check a selection file's text.

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
    """Choose a model for each of slots 1, 2 and 3.

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

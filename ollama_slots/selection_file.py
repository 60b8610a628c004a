"""The content of a model_selection.json, checked. Pure."""

from __future__ import annotations

import json
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from ollama_slots import names
from ollama_slots.errors import first_error
from ollama_slots.settings import EMPTY

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
    """Whether a name is the word that empties a slot. A program wrote it; only a person empties one."""
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

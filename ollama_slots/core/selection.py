"""Check the content of a model_selection.json, and choose the models of slots 1 to 3 from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ollama_slots.core import names, results
from ollama_slots.core.errors import first_error
from ollama_slots.core.results import Candidate, Results
from ollama_slots.core.settings import EMPTY

SLOT_KEYS = {1: "slot1_coding", 2: "slot2_general", 3: "slot3_backup"}
KEYS = (*SLOT_KEYS.values(), "slot4_experimental")
# Of another program's slots, such as slot3_coding or slot6_coding_rotate: theirs are others, with the same words.
FOREIGN = re.compile(r"slot[0-9]{1,3}(_(coding|general|backup|experimental|rotate)){1,3}")


class Selection(BaseModel):
    """A selection file; "none" in it is no model, and no choice.

    + results: what its benchmarks measured
    + foreign: keys of slots of another program
    + reasons: why a benchmark chose the model that a slot is named, by slot
    """

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True)

    slot1_coding: str | None = None
    slot2_general: str | None = None
    slot3_backup: str | None = None
    slot4_experimental: Any = None  # whatever it is, it does not count
    results: Results = Results([], [])
    foreign: tuple[str, ...] = ()
    reasons: dict[int, str] = {}

    @field_validator(*SLOT_KEYS.values())
    @classmethod
    def _is_model_name(cls, value: str | None) -> str | None:
        # A program wrote it, for a slot for which nothing qualified. Only a person empties one.
        if value is None or _is_none(value):
            return None
        names.parse(value)
        return value

    @property
    def computed(self) -> list[int]:
        """The slots that the file does not name a model for."""
        return [slot for slot, key in SLOT_KEYS.items() if getattr(self, key) is None]

    @property
    def notices(self) -> list[str]:
        """What of the file does not count, a line each."""
        lines = [f"{' and '.join(self.foreign)}: not slots here, ignored"] if self.foreign else []
        if not _is_none(self.slot4_experimental):
            lines.append("slot4_experimental is ignored; slot 4 is set with --data slot4_model=MODEL")
        if self.computed and self.results.notice:
            lines.append(self.results.notice)
        return lines


def _is_none(value: object) -> bool:
    """Return whether it names no model."""
    return f"{value or EMPTY}".strip().lower() in {"", EMPTY}


def parse(text: str) -> Selection:
    """Parse and check a selection file's text.

    NaN and Infinity, which are no JSON and which programs write for what they did not measure, are null.

    Raises ValueError with one line that names the key and what was expected.
    """
    if not text.strip():
        raise ValueError("expected a JSON object, found an empty file")
    try:
        content: Any = json.loads(text, parse_constant=lambda _: None, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("expected a JSON object, found one nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, found something else at line {error.lineno}: {error.msg}") from None
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, found a {type(content).__name__}")
    measured = results.read(content)
    foreign = _foreign(content, measured)
    try:
        named = {key: content[key] for key in KEYS if key in content}
        made = {"results": measured, "foreign": foreign, "reasons": _reasons(content)}
        return Selection.model_validate({**named, **made})
    except ValidationError as error:
        raise ValueError(first_error(error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, each key of which is there once: else the last one would count, unseen."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"expected each key once, found {repr(key)[:200]} twice: remove one")
        found[key] = value
    return found


def _reasons(content: Mapping[str, Any]) -> dict[int, str]:
    """Return why a benchmark chose each model; not of a slot that was given another one since."""
    reasons = {}
    for slot, key in SLOT_KEYS.items():
        found: Any = content
        for it in ("benchmark", "choice", f"slot{slot}"):
            found = found.get(it) if isinstance(found, dict) else None
        model, why = (found.get("model"), found.get("why")) if isinstance(found, dict) else (None, None)
        if model is not None and model == content.get(key) and isinstance(why, str) and why.isprintable():
            reasons[slot] = why
    return reasons


def _foreign(content: Mapping[str, Any], measured: Results) -> tuple[str, ...]:
    """Return the keys of slots that are not ours. Raises ValueError for one that is misspelt, or all there is."""
    foreign = []
    for key in content:
        if not key.lower().startswith("slot") or key in KEYS:
            continue
        if not FOREIGN.fullmatch(key) or not measured.candidates:
            advice = "" if FOREIGN.fullmatch(key) else ": correct its spelling, or remove it"
            advice = advice or ": rename it, or add results to choose from"
            raise ValueError(f"{key[:60]!a}: unknown slot key, expected one of {', '.join(sorted(KEYS))}{advice}")
        foreign.append(key)
    return tuple(foreign)


# Each slot's rule, in words and as the score that it goes by.
RULES: dict[int, tuple[str, Callable[[Candidate], float]]] = {
    1: ("best coding composite", lambda candidate: candidate.coding),
    2: ("best general composite", lambda candidate: candidate.general),
    3: ("best mean of the rest", lambda candidate: (candidate.coding + candidate.general) / 2),
}


class Choice(NamedTuple):
    """The model that a slot gets, and why."""

    model: str
    why: str


def choose(selection: Selection) -> dict[int, Choice]:
    """Choose a model for each of slots 1, 2 and 3.

    + selection: the file's content; its explicit slot keys win, the rest is computed from its results:
      slot 1 the highest coding composite, slot 2 the highest general composite, slot 3 the highest mean of both
      among the models that hold neither. Ties: more tokens per second, then name.

    Raises ValueError where there is nothing to choose a slot from.
    """
    candidates = selection.results.candidates
    chosen: dict[int, Choice] = {}
    for slot, (rule, score) in RULES.items():
        explicit = getattr(selection, SLOT_KEYS[slot])
        if explicit is not None:
            chosen[slot] = Choice(explicit, selection.reasons.get(slot) or "explicit")
            continue
        taken = {names.parse(choice.model).key for choice in chosen.values()} if slot == 3 else set()
        free = [candidate for candidate in candidates if names.parse(candidate.model).key not in taken]
        if not free:
            raise ValueError(
                f"{SLOT_KEYS[slot]}: expected a model name, or results with coding_composite and "
                f"general_composite to choose one from; found {len(candidates)} such models"
                f"{', all in use' if candidates else ''}: name a model there"
            )
        best = ranked(slot, free)[0]
        chosen[slot] = Choice(best.model, f"{rule} {score(best):.3f}")
    return chosen


def ranked(slot: int, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates for a slot, the best first. Ties: more tokens per second, then name."""
    score = RULES[slot][1]
    return sorted(
        candidates, key=lambda it: (-score(it), -it.tokens_per_second, names.parse(it.model).key, it.model)
    )

"""Items where models differ, with what each of them answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from ollama_slots.benchmark.choice import told
from ollama_slots.benchmark.choice.composite import FAMILIES
from ollama_slots.benchmark.choice.decide import Decision
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.benchmark.report.foreign import short
from ollama_slots.benchmark.report.rows import Row
from ollama_slots.core.selection import RULES

ITEMS, MODELS = 10, 4


class Question(NamedTuple):
    """An item that was asked.

    + id: as the run has it
    + answers: by the weights of who answered
    """

    id: str
    prompt: str
    answers: Mapping[str, str]


class Said(NamedTuple):
    """A model's answer, as much as is shown of it."""

    row: Row
    passed: bool
    text: str


class Difference(NamedTuple):
    """An item that some passed and others did not."""

    id: str
    prompt: str
    said: list[Said]


def differences(decision: Decision, rows: Sequence[Row], questions: Iterable[Question]) -> list[Difference]:
    """Return up to ten items that tell apart the chosen models and what ties with them.

    Each family has its turn, and in it first what splits the models most evenly.
    """
    shown = compared(decision, rows)
    of: dict[str, list[tuple[int, int, Difference]]] = {}
    for place, it in enumerate(questions):
        said = list(_said(it, shown))
        passed = sum(one.passed for one in said)
        if 0 < passed < len(said):
            found = Difference(it.id, short(it.prompt, 700, 14), said)
            of.setdefault(it.id.partition("/")[0], []).append((abs(2 * passed - len(said)), place, found))
    families = [sorted(of.get(family, [])) for family in chain(*FAMILIES.values())]
    turns = chain.from_iterable(zip_longest(*families))
    return [it[2] for it in turns if it][:ITEMS]


def compared(decision: Decision, rows: Sequence[Row]) -> list[Row]:
    """Return the models whose answers are shown: those with slots, then what ties with them."""
    tied = {name for slot in RULES for name in told.choice(decision, slot).get("tied", ())}
    return [*(it for it in rows if it.slots), *(it for it in rows if not it.slots and it.name in tied)][:MODELS]


def _said(question: Question, rows: Iterable[Row]) -> Iterator[Said]:
    for it in rows:
        passed, text = _verdict(it.model, question.id), question.answers.get(it.model.weights)
        if passed is not None and text is not None:
            yield Said(it, passed, short(text, 900, 24) or "(nothing)")


def _verdict(model: Measured, item: str) -> bool | None:
    return model.answers.get(item.partition("/")[0], {}).get(item)

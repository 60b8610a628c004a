"""The answer: which model a slot gets, whether that is a change, why, and what was close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ollama_slots.benchmark.choice import slots, told
from ollama_slots.benchmark.choice.decide import Decision
from ollama_slots.benchmark.report.rows import Row
from ollama_slots.core.selection import RULES

USES = {1: "coding", 2: "general", 3: "backup"}
MOST = 4  # ties that are named


class Slot(NamedTuple):
    """What there is to say of a slot.

    + change: "stays", "changes" or "first choice"
    + tied: models that no evidence tells apart from it, by name, with their score
    + left_out: how many more of these there are
    """

    number: int
    use: str
    name: str
    same_as: str
    change: str
    was: str
    why: str
    score: str
    row: Row
    tied: list[tuple[str, str]]
    left_out: int


class Aside(NamedTuple):
    """A model that slots did not get, and why not."""

    name: str
    slots: str
    why: str


def answers(decision: Decision, rows: Sequence[Row]) -> list[Slot]:
    """Return the answer for each slot."""
    return [_answer(decision, rows, slot) for slot in RULES]


def _answer(decision: Decision, rows: Sequence[Row], slot: int) -> Slot:
    said, chosen = told.choice(decision, slot), decision.chosen[slot]
    change = "changes" if "was" in said else "stays" if slot in decision.incumbents else "first choice"
    row = next(it for it in rows if it.model is chosen)
    ties = [(it.name, _score(decision, slot, it)) for it in rows if it.name in said.get("tied", ())]
    ties.sort(key=lambda it: it[1], reverse=True)
    return Slot(
        slot,
        USES[slot],
        said["model"],
        "" if said["model"] == row.name else row.name,
        change,
        said.get("was", ""),
        said["why"].removeprefix("stays: "),
        _score(decision, slot, row),
        row,
        ties[:MOST],
        max(0, len(ties) - MOST),
    )


def aside(decision: Decision, rows: Sequence[Row]) -> list[Aside]:
    """Return which models were not compared, or passed over, with the slots and the reason."""
    return [Aside(it.name, ", ".join(map(str, of)), why) for it in rows for why, of in _whys(decision, it) if of]


def _whys(decision: Decision, row: Row) -> Iterator[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for slot in RULES:
        over = told.choice(decision, slot).get("passed_over", {})
        if why := over.get(row.name) or slots.unfit(row.model, slot, decision.by):
            found.setdefault(why, []).append(slot)
    yield from found.items()


def _score(decision: Decision, slot: int, row: Row) -> str:
    return f"{RULES[slot][1](decision.scores[row.model.weights]):.3f}"

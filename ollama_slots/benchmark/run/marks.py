"""Grade what was answered, each answer once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ollama_slots.benchmark.asking.answered import Answered
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.choice.measured import Answers
from ollama_slots.benchmark.items.item import Answer, Item, Outcome, Verdict

Grade = Callable[[Item, Answer], Verdict]


class Marks:
    """Who passed what: a verdict depends on nothing but the item and what was answered."""

    def __init__(self, grade: Grade) -> None:
        """Take what grades."""
        self._grade = grade
        self._made: dict[tuple[str, str, str], bool] = {}

    def of(self, items: Sequence[Item], kept: Kept, variant: str) -> dict[str, Answers]:
        """Return which items a variant passed, by family; those that it did not answer are not there.

        + variant: its manifest digest
        """
        passed: dict[str, Answers] = {}
        for it in items:
            found = kept.found(it, variant)
            if found and not found.error:
                passed.setdefault(it.family, {})[it.id] = self._passed(it, found)
        return passed

    def _passed(self, item: Item, found: Answered) -> bool:
        key = (item.id, found.asked, repr(found.answer))
        if key not in self._made:
            self._made[key] = self._grade(item, found.answer).outcome is Outcome.PASSED
        return self._made[key]

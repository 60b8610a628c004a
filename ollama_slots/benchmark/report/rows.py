"""What the report says of each model: the figures of both aspects, and the slots that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ollama_slots.benchmark.choice import composite, slots
from ollama_slots.benchmark.choice.composite import FAMILIES, QUALITY
from ollama_slots.benchmark.choice.decide import Decision
from ollama_slots.benchmark.choice.measured import Depth, Measured, Spread
from ollama_slots.core.selection import RULES

SLOT_OF = {"coding": 1, "general": 2}
FEW = 20  # items: fewer tell little
GB = 10**9
TO = "\N{EN DASH}"  # between the ends of an interval


class Share(NamedTuple):
    """How many of some items a model passed."""

    passed: int
    asked: int

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.passed / self.asked

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share lies that would be found with more items, in 95 % of cases."""
        return composite.interval(self.passed, self.asked)

    @property
    def range(self) -> str:
        """The interval, in percent."""
        low, high = self.interval
        return f"{low * 100:.0f}{TO}{high * 100:.0f}"

    @property
    def text(self) -> str:
        """Both, as people read it."""
        return f"{self.value:.0%} ({self.range})"

    @property
    def few(self) -> bool:
        """Whether there are too few items to say much."""
        return self.asked < FEW


@dataclass(frozen=True)
class Figures:
    """What a model reached in coding, or in general.

    + quality: None where it answered nothing
    + families: those that it was asked
    + terms: of the composite: quality, speed, latency. None where it was not asked to the end.
    + not_compared: why, for the aspect's slot; nothing if it is
    """

    quality: Share | None
    families: Mapping[str, Share]
    terms: tuple[float, float, float] | None
    not_compared: str

    @property
    def composite(self) -> float:
        """The sum of its terms."""
        return sum(self.terms or ())

    @property
    def range(self) -> str:
        """Where the composite lies by the interval of the quality."""
        assert self.quality is not None
        rest = self.composite - QUALITY * self.quality.value
        low, high = (rest + QUALITY * it for it in self.quality.interval)
        return f"{low:.2f}{TO}{high:.2f}"


@dataclass(frozen=True)
class Row:
    """A model of the run.

    + number: 1 for the first of all tables; the same on the whole page
    + slots: that it gets
    """

    number: int
    model: Measured
    slots: tuple[int, ...]
    of: Mapping[str, Figures]

    @property
    def name(self) -> str:
        """The name that leads."""
        return self.model.model

    @property
    def has(self) -> str:
        """Its slots, in words."""
        if not self.slots:
            return ""
        return f"slot{'s' if len(self.slots) > 1 else ''} {' and '.join(map(str, self.slots))}"

    def bytes_for(self, slot: int) -> int | None:
        """Return what it takes of GPU memory at a slot's window, or at another one; None where it is unknown."""
        known = self.model.gpu_bytes
        return known.get(slot, max(known.values(), default=None))


def rows(decision: Decision) -> list[Row]:
    """Return the models: those that have a slot by its number, then the best first."""
    held = {it.weights: [slot for slot in RULES if decision.chosen[slot] is it] for it in decision.models}
    score = RULES[3][1]

    def place(model: Measured) -> tuple[int, float, str]:
        first = min(held[model.weights], default=max(RULES) + 1)
        return first, -score(decision.scores[model.weights]), model.model

    return [
        Row(number, it, tuple(held[it.weights]), {aspect: _figures(decision, it, aspect) for aspect in FAMILIES})
        for number, it in enumerate(sorted(decision.models, key=place), 1)
    ]


class Deep(NamedTuple):
    """How fast a model is behind a long prompt.

    + share: of its speed behind a short one
    """

    row: Row
    at: Depth
    share: str


def deep(rows: Iterable[Row]) -> list[Deep]:
    """Return what was measured behind long prompts; nothing of a model that has no speed to hold it against."""
    return [
        Deep(row, at, f"{at.tokens_per_sec.median / median:.0%}")
        for row in rows
        if (median := row.model.tokens_per_sec.median)
        for at in row.model.at_depth
    ]


def _figures(decision: Decision, model: Measured, aspect: str) -> Figures:
    by = decision.by[aspect]
    answers = {family: model.answers[family] for family in FAMILIES[aspect] if model.answers.get(family)}
    families = {family: Share(sum(it.values()), len(it)) for family, it in answers.items()}
    whole = Share(sum(it.passed for it in families.values()), sum(it.asked for it in families.values()))
    return Figures(
        whole if whole.asked else None,
        families,
        composite.terms(model, aspect, by) if composite.complete(model, aspect, by.items) else None,
        slots.unfit(model, SLOT_OF[aspect], decision.by),
    )


def number(value: float) -> str:
    """Return a figure of speed with three digits, or with as many as it has before the point."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def spread(it: Spread) -> str:
    """Return a median with the least and the most."""
    return f"{number(it.median)} ({number(it.low)}{TO}{number(it.high)})"


def gigabytes(size: int | None) -> str:
    """Return bytes as people read them."""
    return "?" if size is None else f"{size / GB:.1f} GB"

"""From answers and seconds to composites: 0.45 quality, 0.30 speed, 0.25 latency."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from ollama_slots.benchmark.choice.measured import Measured, Spread
from ollama_slots.benchmark.items.draw import CODING, GENERAL

QUALITY, SPEED, LATENCY = 0.45, 0.30, 0.25
FLOOR = 0.5  # of the best one's quality: what is below it is not chosen, however fast
ANSWERED = 0.95  # of a run's items: who answered fewer is not compared
TIE = 0.03  # of tokens/s or TTFT: less is no difference
FAMILIES = {"coding": CODING, "general": GENERAL}


class Scale(NamedTuple):
    """What the models of a run are measured by.

    + items: how many the run has: those that anybody answered
    + floor: the least quality that is above it
    + fastest, slowest: in tokens/s and to the first token, among those above the floor
    """

    items: int
    floor: float
    fastest: float
    slowest: float


def quality(model: Measured, aspect: str) -> float | None:
    """Return the share of its items that a model passed; each counts the same. None where it answered none."""
    answers = model.of(FAMILIES[aspect])
    return sum(answers.values()) / len(answers) if answers else None


def complete(model: Measured, aspect: str, items: int) -> bool:
    """Return whether a model answered enough of a run's items."""
    return items > 0 and len(model.of(FAMILIES[aspect])) >= ANSWERED * items


def scale(models: Sequence[Measured], aspect: str) -> Scale | None:
    """Return what the models of a run are measured by; None where none of them passed an item."""
    items = len({it for model in models for it in model.of(FAMILIES[aspect])})
    able = {it.model: quality(it, aspect) or 0.0 for it in models if complete(it, aspect, items)}
    floor = FLOOR * max(able.values(), default=0.0)
    if not floor:
        return None
    above = [it for it in models if able.get(it.model, 0.0) >= floor]
    fastest, slowest = max(it.tokens_per_sec.median for it in above), max(it.ttft_ms.median for it in above)
    return Scale(items, floor, fastest, slowest)


def composite(model: Measured, aspect: str, by: Scale) -> float:
    """Return a model's composite, from 0 to 1.

    Below the floor speed is worth nothing: only quality counts, so that it is below all that are above it.
    """
    first, *others = terms(model, aspect, by)
    return first + sum(others)


def terms(model: Measured, aspect: str, by: Scale) -> tuple[float, float, float]:
    """Return what a composite is the sum of: quality, speed and latency, each times its weight."""
    share = quality(model, aspect) or 0.0
    above = share >= by.floor
    rest = _terms(model.tokens_per_sec.median, model.ttft_ms.median, by) if above else (0.0, 0.0)
    return QUALITY * share, *rest


def ahead(challenger: Measured, incumbent: Measured, aspect: str, by: Scale) -> float:
    """Return by how much speed and latency put a challenger's composite ahead of an incumbent's, noise left out.

    What is tied is equal. Else the challenger at its worst is compared with the incumbent at its best.
    """
    able = [(quality(it, aspect) or 0.0) >= by.floor for it in (challenger, incumbent)]
    worst = _terms(challenger.tokens_per_sec.low, challenger.ttft_ms.high, by) if able[0] else (0.0, 0.0)
    best = _terms(incumbent.tokens_per_sec.high, incumbent.ttft_ms.low, by) if able[1] else (0.0, 0.0)
    tied = [
        all(able) and _tied(challenger.tokens_per_sec, incumbent.tokens_per_sec),
        all(able) and _tied(challenger.ttft_ms, incumbent.ttft_ms),
    ]
    return sum(0.0 if same else it - other for same, it, other in zip(tied, worst, best, strict=True))


def _terms(tokens_per_sec: float, ttft_ms: float, by: Scale) -> tuple[float, float]:
    # One that is not above the floor, or not complete, may be faster than the fastest that is.
    return SPEED * min(1.0, tokens_per_sec / by.fastest), LATENCY * max(0.0, 1 - ttft_ms / by.slowest)


def _tied(one: Spread, other: Spread) -> bool:
    overlap = one.low <= other.high and other.low <= one.high
    return overlap or abs(one.median - other.median) < TIE * max(one.median, other.median)


def interval(passed: int, asked: int) -> tuple[float, float]:
    """Return Wilson's interval of 95 % of a share, for people: nothing is decided by it."""
    z, share = 1.96, passed / asked
    middle, half = share + z * z / (2 * asked), z * sqrt(share * (1 - share) / asked + (z / (2 * asked)) ** 2)
    whole = 1 + z * z / asked
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)

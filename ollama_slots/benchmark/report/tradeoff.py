"""The plot of quality over tokens/s: where everything stands. The template draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from ollama_slots.benchmark.report.axis import Axis, Tick
from ollama_slots.benchmark.report.labels import GAP, Box, Label, place
from ollama_slots.benchmark.report.rows import SLOT_OF, Row

WIDTH, HEIGHT = 410, 350
FRAME = Box(44, 10, WIDTH - 10, HEIGHT - 44)
INSET = 22  # between the frame and what is farthest out: half of the largest bubble
SMALLEST, LARGEST = 4.0, 17.0  # radius of a bubble


@dataclass(frozen=True)
class Point:
    """A model: the middle of its bubble, how large it is, and how far its intervals go."""

    row: Row
    x: float
    y: float
    radius: float
    left: float
    right: float
    top: float
    bottom: float
    label: Label | None = None


@dataclass(frozen=True)
class Plot:
    """All that is to be drawn."""

    aspect: str
    points: list[Point]
    frontier: list[Row]
    line: list[tuple[float, float]]
    across: list[Tick]
    up: list[Tick]


def plot(rows: Sequence[Row], aspect: str) -> Plot:
    """Return the plot of the models that are compared, and of those with slots; others would stretch it."""
    shown = [it for it in rows if it.of[aspect].quality and (it.slots or not it.of[aspect].not_compared)]
    across, up = _axes(shown, aspect)
    largest = max((it.bytes_for(SLOT_OF[aspect]) or 0 for it in shown), default=0)
    points = [_point(it, aspect, across, up, largest) for it in shown]
    best = frontier(shown, aspect)
    places = {it.row.number: (it.x, it.y) for it in points}
    return Plot(
        aspect,
        list(_labelled(points)),
        best,
        [places[it.number] for it in best],
        across.ticks(""),
        up.ticks(".0%"),
    )


def frontier(rows: Sequence[Row], aspect: str) -> list[Row]:
    """Return the models that are compared and that none of these beats; the fastest last."""

    def both(row: Row) -> tuple[float, float]:
        return row.model.tokens_per_sec.median, _quality(row, aspect)

    compared = [it for it in rows if not it.of[aspect].not_compared]
    return sorted((it for it in compared if not any(_beats(both(one), both(it)) for one in compared)), key=both)


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]


def _quality(row: Row, aspect: str) -> float:
    quality = row.of[aspect].quality
    return quality.value if quality else 0.0


def _axes(rows: Sequence[Row], aspect: str) -> tuple[Axis, Axis]:
    speeds = [it.model.tokens_per_sec for it in rows]
    intervals = [quality.interval for it in rows if (quality := it.of[aspect].quality)]
    slow, fast = min(it.low for it in speeds), max(it.high for it in speeds)
    low, high = min(it[0] for it in intervals), max(it[1] for it in intervals)
    if fast - slow < 0.1 * fast:  # one model, or all alike: the plot shall not make much of nothing
        slow, fast = 0.9 * slow, 1.1 * fast
    if high - low < 0.1:
        low, high = max(0.0, high - 0.1), max(0.1, high)
    return (
        Axis(slow, fast, FRAME.left + INSET, FRAME.right - INSET),
        Axis(low, high, FRAME.bottom - INSET, FRAME.top + INSET),
    )


def _point(row: Row, aspect: str, across: Axis, up: Axis, largest: int) -> Point:
    quality, speed = row.of[aspect].quality, row.model.tokens_per_sec
    assert quality is not None
    low, high = quality.interval
    size = row.bytes_for(SLOT_OF[aspect]) or 0
    radius = max(SMALLEST, LARGEST * sqrt(size / largest)) if largest else SMALLEST
    places = (across.at(speed.low), across.at(speed.high), up.at(high), up.at(low))
    return Point(row, across.at(speed.median), up.at(quality.value), radius, *places)


def _labelled(points: Sequence[Point]) -> Iterator[Point]:
    """Give each point a label: those with slots first, for these have to be read."""
    taken: list[Box] = []
    bars = [Box(it.x - 1, it.top, it.x + 1, it.bottom) for it in points]
    bars += [Box(it.left, it.y - 1, it.right, it.y + 1) for it in points]
    for it in points:
        texts = [_short(it.row.name, 24), _short(it.row.name, 14)]
        if it.row.slots:
            texts = [*(f"{it.row.has}: {text}" for text in texts), it.row.has]
        others = [_bubble(one, GAP) for one in points if one is not it]  # not so near that it seems to be theirs
        bubbles = [_bubble(it), *others]
        label = place(
            [*texts, f"{it.row.number}"], it.x, it.y, it.radius, FRAME, taken, bubbles, bars, bool(it.row.slots)
        )
        taken.append(label.box)
        yield replace(it, label=label)


def _bubble(it: Point, more: float = 0.0) -> Box:
    radius = it.radius + more
    return Box(it.x - radius, it.y - radius, it.x + radius, it.y + radius)


def _short(name: str, most: int) -> str:
    """Return a name of so many letters: what tells models apart is at its beginning and its end."""
    last = name.rpartition("/")[2]
    half = (most - 1) // 2
    return last if len(last) <= most else f"{last[:half]}…{last[-half:]}"

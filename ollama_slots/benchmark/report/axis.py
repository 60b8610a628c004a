"""An axis of a plot, and its marks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import NamedTuple


class Tick(NamedTuple):
    """A mark of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A scale: values from low to high lie between two places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, form: str) -> list[Tick]:
        """Return marks at round values, about five."""
        raw = (self.high - self.low) / 5
        power = 10 ** floor(log10(raw))
        step = next(it * power for it in (1, 2, 5, 10) if it * power >= raw * 0.999)
        values = [count * step for count in range(ceil(self.low / step), floor(self.high / step) + 1)]
        digits = max(0, -floor(log10(step)))
        return [Tick(self.at(it), format(it, form) if form else f"{it:.{digits}f}") for it in values]

"""What repeats of a measurement come to. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The median of repeats, and the least and the most of them."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        """For a table: the median, and in brackets the rest."""
        if self.least == self.most:
            return figure(self.median)
        return f"{figure(self.median)} ({figure(self.least)} to {figure(self.most)})"


def spread(values: Iterable[float]) -> Spread:
    """Of one repeat or more."""
    known = list(values)
    return Spread(statistics.median(known), min(known), max(known))


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def figure(value: float) -> str:
    """A number with as many digits as it is worth: three, and no more than two after the point."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def ratio(value: float, to: float) -> str:
    """How many times as much: ``0.21x``."""
    return f"{figure(value / to)}x" if to else "-"

"""Put labels of a plot where they cover nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Of a letter in the 12 units that the template writes labels in; the widest of usual fonts, for which one a reader
# has nobody knows.
LETTER, BOLD, HEIGHT = 7.2, 8.2, 13.0
GAP = 6.0  # beside the bubble, and a ring of 2.5 around it
LITTLE = 12.0  # what a label may cover, in square units


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def common(self, other: Box) -> float:
        """Return the area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0 and high > 0 else 0.0

    def within(self, other: Box) -> bool:
        """Return whether it lies wholly in another one."""
        left, top = self.left >= other.left, self.top >= other.top
        return left and top and self.right <= other.right and self.bottom <= other.bottom


@dataclass(frozen=True)
class Label:
    """A text, and where it goes.

    + end: whether it ends at its bubble, else it begins there: in a narrower font it is near it all the same
    """

    text: str
    box: Box
    end: bool

    @property
    def x(self) -> float:
        """Where it begins, or ends."""
        return self.box.right if self.end else self.box.left

    @property
    def y(self) -> float:
        """What its letters stand on."""
        return self.box.bottom - 3


def place(
    texts: Sequence[str],
    x: float,
    y: float,
    radius: float,
    frame: Box,
    taken: Sequence[Box],
    bubbles: Sequence[Box],
    bars: Sequence[Box],
    bold: bool,
) -> Label:
    """Return the first text that has a place around a bubble where it covers next to nothing, else the last one.

    + texts: the longest first
    + taken: by other labels, which have to stay free; bubbles and bars may be covered a little
    """
    best: list[tuple[float, Label]] = []
    for text in texts:
        for box in _around((BOLD if bold else LETTER) * len(text), x, y, radius):
            if box.within(frame):
                covers = sum(3 * box.common(it) for it in taken) + sum(box.common(it) for it in bubbles)
                best.append(
                    (covers + sum(0.5 * box.common(it) for it in bars), Label(text, box, box.left < x - GAP))
                )
        least = min(best, key=lambda it: it[0], default=None)
        if least and least[0] <= LITTLE:
            return least[1]
    of_last = [it for it in best if it[1].text == texts[-1]]
    return min(of_last, key=lambda it: it[0])[1]


def _around(wide: float, x: float, y: float, radius: float) -> Iterator[Box]:
    """Return the places around a bubble, those that read best first."""
    near, off = 0.7 * radius + GAP, radius + GAP
    for left, top in (
        (x + off, y - HEIGHT / 2),
        (x - off - wide, y - HEIGHT / 2),
        (x + near, y - near - HEIGHT / 2),
        (x + near, y + near - HEIGHT / 2),
        (x - near - wide, y - near - HEIGHT / 2),
        (x - near - wide, y + near - HEIGHT / 2),
        (x + GAP, y - off - HEIGHT),
        (x + GAP, y + off),
        (x - GAP - wide, y - off - HEIGHT),
        (x - GAP - wide, y + off),
    ):
        yield Box(left, top, left + wide, top + HEIGHT)

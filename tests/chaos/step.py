"""What a step is, and how one is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.chaos.world import World

Play = Callable[[World], str]


@dataclass(frozen=True)
class Step:
    """Something that is done to a host.

    + weight: how often it is drawn, as against the others
    + play: does it; what was done, in words
    """

    weight: int
    play: Play

    @property
    def kind(self) -> str:
        """Its name in the summary."""
        return self.play.__name__.replace("_", " ")


STEPS: list[Step] = []


def step(weight: int) -> Callable[[Play], Play]:
    """Puts a function among the steps that are drawn from."""

    def register(play: Play) -> Play:
        STEPS.append(Step(weight, play))
        return play

    return register


def draw(random: Random, steps: list[Step]) -> Step:
    """One of some steps, by its weight."""
    return random.choices(steps, [it.weight for it in steps])[0]

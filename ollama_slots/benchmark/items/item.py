"""An item: what a model is asked, what it may answer, and a right answer to it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol


class Answer(NamedTuple):
    """What a model answered.

    + text: without what it only thought.
    + cut: whether it was ended before the model was done: by its number of tokens, or by the engine.
    + first: the likeliest first tokens, each with its log-probability.
    """

    text: str
    cut: bool = False
    first: Mapping[str, float] = {}


class Outcome(StrEnum):
    """How an item went."""

    PASSED = "passed"
    FAILED = "failed"
    RAN_OUT = "ran out"
    NOT_ANSWERED = "not answered"


class Verdict(NamedTuple):
    """How an item went, and why it did not pass."""

    outcome: Outcome
    why: str = ""


class NotAnsweredError(Exception):
    """Where an answer was to be, and is not."""


class Check(Protocol):
    """What tells a right answer from a wrong one."""

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right.

        Raises NotAnsweredError where the answer is not where the item wants it.
        """


class ByTests(NamedTuple):
    """The answer is a program, and passes tests. It is not judged here: programs run in the sandbox.

    + context: comes before the program: imports, and functions that it may call.
    """

    context: str
    name: str
    tests: str


class Item(NamedTuple):
    """What a model is asked.

    + id: unique among the items of a seed: the family, and which of it.
    + tokens: how long an answer may be.
    + reference: an answer that passes.
    """

    id: str
    prompt: str
    check: Check | ByTests
    tokens: int
    reference: Answer

    @property
    def family(self) -> str:
        """The first part of its id."""
        return self.id.partition("/")[0]


def stream(seed: int, *of: object) -> random.Random:
    """Return a source of random choices of its own: no other's choices change these."""
    return random.Random("/".join(map(str, (seed, *of))))

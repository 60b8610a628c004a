"""What a run needs of a host: the models that can be asked there, how fast they are, and what fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.items.item import Item
from ollama_slots.benchmark.run.week import Room, Timed


class Subject(Protocol):
    """A model that can be asked on a host, for as long as it is open.

    + model: its name, as a slot gets it
    + weights: the sha256 of its blob
    + digest: of the manifest that is asked: of a variant
    """

    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def weights(self) -> str: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102

    def ask(self, items: Sequence[Item], kept: Kept, goes_on: Callable[[Sequence[Item]], bool]) -> None:
        """Have it asked what is not kept. Raises BenchmarkError where it cannot be asked all of it.

        + goes_on: is asked before each block, with the items up to there
        """

    def speed(self) -> Timed:
        """Return how fast it is, and what it takes. Raises BenchmarkError where that cannot be measured."""


class Bench(Protocol):
    """A host on which models are measured, one at a time.

    + holds: the models of slots 1 to 3 there, by slot
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def room(self) -> Room: ...  # noqa: D102
    @property
    def holds(self) -> Mapping[int, str]: ...  # noqa: D102

    def weights(self, model: str) -> str | None:
        """Return the weights of a model that is there, by its sha256; None where that is not known."""

    def subject(self, model: str) -> AbstractContextManager[Subject]:
        """Open a model: its slot's, where a slot has it, else a candidate, which is there until it is closed.

        Raises BenchmarkError where it cannot be asked here.
        """

    def tell(self, line: str) -> None:
        """Say how far it is."""

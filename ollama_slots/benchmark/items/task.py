"""A programming task: what is to be written, how it is done, and what proves it."""

from __future__ import annotations

from typing import NamedTuple


class Task(NamedTuple):
    """A function that is to be written.

    + prompt: its beginning, up to the docstring; Python by itself.
    + solution: the rest of it.
    + tests: call the function as ``candidate``.
    + mutants: which mutants of the solution the tests catch, by their numbers in ``mutate.mutants``.
    """

    id: str
    prompt: str
    name: str
    solution: str
    tests: str
    mutants: tuple[int, ...] = ()

    @property
    def whole(self) -> str:
        """The function as it should be."""
        return self.prompt + self.solution

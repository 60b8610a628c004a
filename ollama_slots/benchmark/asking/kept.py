"""Keep answers in a file, so that none is asked for twice, and each can be graded again without a host."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from ollama_slots.benchmark.asking.answered import Answered
from ollama_slots.benchmark.asking.request import digest
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.item import Item


class Kept:
    """The answers of some weights to the items of a seed, for as long as it is open.

        with Kept(directory, weights, seed) as kept:
            answered = kept.found(item, variant)

    One run has it open at a time. A line that a run was killed in is dropped.

    + directory: in which the file is, made where it is not there
    + weights: sha256 of the blob
    """

    def __init__(self, directory: Path, weights: str, seed: int) -> None:
        """Name the file; nothing is read yet. Raises ValueError where weights are no digest."""
        if not re.fullmatch(r"[0-9a-f]{64}", weights):
            raise ValueError(f"expected a sha256, found {weights[:80]!r}")
        self.path = directory / f"answers-{weights}-{seed}.jsonl"
        self._found: dict[tuple[str, str, str], Answered] = {}

    def __enter__(self) -> Kept:
        """Read what is there. Raises BenchmarkError where another run has it open, or where it is damaged."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file.seek(0)
            whole, _, half = self._file.read().rpartition(b"\n")
            if half:
                self._file.truncate(len(whole) + 1 if whole else 0)
            for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
                self._note(self._read(number, line))
        except BlockingIOError:
            self._file.close()
            raise BenchmarkError(f"{self.path}: another run has it open; try again when it is done") from None
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others have it."""
        self._file.close()

    @property
    def variants(self) -> list[str]:
        """All whose answers are here, by manifest digest; in the order in which they were asked first."""
        return list(dict.fromkeys(variant for _, _, variant in self._found))

    def found(self, item: Item, variant: str) -> Answered | None:
        """Return what a variant answered to an item; None where it was not asked this."""
        return self._found.get((item.id, digest(item), variant))

    def add(self, block: Iterable[Answered]) -> None:
        """Write answers to the disk."""
        them = list(block)
        self._file.write("".join(it.line for it in them).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        for it in them:
            self._note(it)

    def _note(self, it: Answered) -> None:
        self._found.setdefault((it.item, it.asked, it.variant), it)

    def _read(self, number: int, line: bytes) -> Answered:
        try:
            return Answered.model_validate_json(line)
        except ValidationError:
            wrong = f"{self.path}: expected an answer in line {number}, found something else"
            raise BenchmarkError(f"{wrong}; take the line away, and its item is asked again") from None

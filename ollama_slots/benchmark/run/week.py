"""What was measured in a week, as it is kept beside the answers: a run that was killed goes on from there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.choice.measured import Depth, Fixed, Spread
from ollama_slots.core import names, selection
from ollama_slots.core.errors import first_error
from ollama_slots.core.placing import Card, Rule, Taken

Windows = dict[int, int]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def seed_of(moment: datetime) -> int:
    """Return the seed of a moment's week: 202648 is the 48th of 2026, by ISO 8601."""
    year, week, _ = moment.isocalendar()
    return year * 100 + week


class Timed(Fixed):
    """How fast a model is on a kind of host.

    + takes: of GPU memory, by the slot's number and the windows that hosts give that slot
    + at_depth: behind long prompts, where that was measured
    """

    tokens_per_sec: Spread
    ttft_ms: Spread
    takes: dict[int, dict[int, Taken]]
    at_depth: tuple[Depth, ...] = ()

    def gpu_bytes(self, windows: Windows) -> dict[int, int]:
        """Return what the runner itself holds of GPU memory, by slot, at the windows of a host."""
        taken = {slot: self.takes[slot][window] for slot, window in windows.items()}
        return {slot: it.held - it.computed for slot, it in taken.items()}

    def with_takes_of(self, before: Timed | None) -> Timed:
        """Return it with what was known before of other windows: hosts may be measured in turn."""
        if before is None:
            return self
        takes = {slot: {**before.takes.get(slot, {}), **it} for slot, it in self.takes.items()}
        return self.model_copy(update={"takes": takes})

    def knows(self, windows: Windows) -> bool:
        """Return whether it is known what the model takes at the windows of a host."""
        return all(window in self.takes.get(slot, {}) for slot, window in windows.items())


class Room(Fixed):
    """The GPU memory of a host, for the models of slots 1 to 3.

    + kind: of the host: those of the same kind are equally fast
    + cards: with nothing of Ollama's on them; None: it is not known
    + others: what the other slots' models take, by weights
    + windows: of slots 1 to 3, in tokens, by slot
    """

    kind: str
    cards: tuple[Card, ...] | None
    rule: Rule
    others: dict[Sha256, Taken] = Field(default_factory=dict)
    windows: Windows

    @property
    def bytes(self) -> int:
        """How much there is on all cards; 0 where it is not known."""
        return sum(it.free for it in self.cards or ())


class Model(Fixed):
    """A set of weights.

    + names: that were asked for, and have them
    + digest: of the manifest whose answers count
    + settled: the digest of the items that it is not asked any more: all are answered, or it was dropped
    + dropped: it was
    """

    names: tuple[str, ...]
    digest: Sha256
    settled: str = ""
    dropped: bool = False

    def called(self, name: str) -> bool:
        """Return whether a name is one of its names, as Ollama compares them."""
        return names.parse(name).key in {names.parse(it).key for it in self.names}


class Before(Fixed):
    """What the week's choice is made from, beside what is measured: it stays for as long as nobody else chooses.

    + file: model_selection.json, as the week's first run found it; nothing: there was none
    + wrote: the same, as the last run wrote it
    + incumbents: the models of slots 1 to 3, by slot
    """

    file: str = ""
    wrote: str = ""
    incumbents: dict[int, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, file: str) -> Before:
        """Return it for a selection file. Raises ValueError with one line where that is not one."""
        chosen = selection.choose(selection.parse(file)) if file else {}
        return cls(file=file, incumbents={slot: it.model for slot, it in chosen.items()})

    def was(self, file: str) -> bool:
        """Return whether a selection file is the one that was found or written. Nothing: there is none."""
        return file == self.file or bool(self.wrote and file == self.wrote)

    def with_slots(self, holds: Mapping[int, str]) -> Before:
        """Return it with the models of a host's slots, where neither a file nor another host has one.

        Once the week has chosen, what hosts have may be its own choice.
        """
        return self if self.file or self.wrote else Before(incumbents={**holds, **self.incumbents})


class Week(BaseModel):
    """All that was measured with the items of a seed, but the answers.

    + window: tokens, of the least of slots 1 to 3
    + sizes: how many items each family has
    + wanted: the models that the last run was to compare
    + held: those of them that slots 1 to 3 of its hosts had
    + rooms: by host, in the order of the inventory
    + models: by weights
    + speeds: by kind of host, and by weights
    + failed: why a model could not be measured, by its name
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    seed: int
    window: int
    sizes: dict[str, int]
    before: Before = Before()
    wanted: list[str] = Field(default_factory=list)
    held: list[str] = Field(default_factory=list)
    rooms: dict[str, Room] = Field(default_factory=dict)
    models: dict[Sha256, Model] = Field(default_factory=dict)
    speeds: dict[str, dict[Sha256, Timed]] = Field(default_factory=dict)
    failed: dict[str, str] = Field(default_factory=dict)

    @property
    def least(self) -> Room:
        """The host of the least GPU memory, as far as that is known."""
        return min(self.rooms.values(), key=lambda it: it.bytes if it.cards else inf)

    def timed(self, kind: str, weights: str) -> Timed | None:
        """Return how fast a model is on a kind of host, as long as what it takes on each host is known with it."""
        found = self.speeds.get(kind, {}).get(weights)
        return found if found and all(found.knows(it.windows) for it in self.rooms.values()) else None

    def weights(self, name: str) -> str | None:
        """Return the weights that a model was found to have; None where it was not met yet."""
        return next((weights for weights, it in self.models.items() if it.called(name)), None)

    def met(self, name: str, weights: str, digest: str) -> None:
        """Note that a model has these weights.

        + digest: of the manifest that is to be asked, if they are new
        """
        known = self.models.get(weights) or Model(names=(), digest=digest)
        if not known.called(name):
            self.forget(name)  # it was pulled anew
            known = known.model_copy(update={"names": (*known.names, name)})
        self.models[weights] = known

    def forget(self, name: str) -> None:
        """Take a name from the weights that had it: what is known of them stays."""
        for weights, it in self.models.items():
            if it.called(name):
                left = tuple(kept for kept in it.names if not names.same(kept, name))
                self.models[weights] = it.model_copy(update={"names": left})

    def want(self, model: str) -> None:
        """Note that the run is to compare a model."""
        if not any(names.same(model, it) for it in self.wanted):
            self.wanted.append(model)

    def begun(self, window: int, sizes: Mapping[str, int], file: str) -> Week:
        """Return it for another run in the same week: what is expensive is kept, all else is seen anew.

        + file: model_selection.json as it is now; nothing: there is none
        """
        chosen = self.before.file or self.before.wrote  # else the hosts' slots say anew what has them
        before = self.before if chosen and self.before.was(file) else Before.of(file)
        anew = Week(seed=self.seed, window=window, sizes=dict(sizes), before=before)
        return anew.model_copy(update={"models": dict(self.models), "speeds": dict(self.speeds)})


def path(directory: Path, seed: int) -> Path:
    """Return the file of a week."""
    return directory / f"week-{seed}.json"


def read(file: Path) -> Week | None:
    """Return what is kept of a week; None where there is nothing. Raises BenchmarkError where it is damaged."""
    try:
        return Week.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise BenchmarkError(f"{file}: {first_error(error)}: remove it, to measure speeds anew") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{file}: expected what a run has written, found {error}") from None


def write(directory: Path, week: Week) -> None:
    """Keep it, whole or not at all."""
    replace(path(directory, week.seed), week.model_dump_json(indent=1) + "\n")


def replace(file: Path, text: str) -> None:
    """Write a file whole or not at all, and to the disk; of a link what it points to."""
    file = file.resolve()
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)

"""Choose the models of slots 1 to 3: the incumbents, unless another is better beyond doubt; a set that fits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ollama_slots.benchmark.choice import race, slots, state
from ollama_slots.benchmark.choice.evidence import BEYOND_DOUBT
from ollama_slots.benchmark.choice.measured import Measured, Run, collapsed
from ollama_slots.benchmark.choice.slots import Scales
from ollama_slots.benchmark.choice.state import State
from ollama_slots.core import names
from ollama_slots.core.results import Candidate
from ollama_slots.core.selection import RULES, SLOT_KEYS, ranked

Three = tuple[Measured, Measured, Measured]
Fits = Callable[[Three], bool]


class Incumbent(NamedTuple):
    """The model that has a slot: as it was measured, or why it was not."""

    name: str
    model: Measured | None
    failed: str = ""


@dataclass(frozen=True)
class Decision:
    """Which models get slots 1 to 3, and all that it follows from.

    + models: those of the run, one for each set of weights
    + scores: their composites, by weights
    + chosen: by slot
    + evidence: after this run, against the incumbents before it
    """

    run: Run
    when: str
    models: list[Measured]
    by: Scales
    scores: dict[str, Candidate]
    incumbents: dict[int, Incumbent]
    evidence: State
    chosen: dict[int, Measured]

    def named(self, slot: int) -> str:
        """Return the name of a slot's model: an incumbent keeps the one that it has there."""
        was = self.incumbents.get(slot)
        return was.name if was and self.chosen[slot].called(was.name) else self.chosen[slot].model

    @property
    def kept(self) -> State:
        """The evidence for the next run: of a slot that changes there is none."""
        held = {
            key: it for key, it in self.evidence.slots.items() if it.incumbent == self.chosen[int(key[4:])].weights
        }
        return self.evidence.model_copy(update={"slots": held})


def decide(run: Run, incumbents: Mapping[int, str], before: State, fits: Fits, when: str) -> Decision:
    """Choose from a run.

    + incumbents: the models that have slots 1 to 3, by slot
    + before: the evidence of earlier runs
    + fits: whether the models of slots 1, 2 and 3 fit together into the GPU memory of the smallest host, with slot
      4's. Two of them may be the same.
    + when: the run's timestamp

    Raises ValueError with one line where the run does not tell the models of all three slots.
    """
    models = collapsed(run.models)
    by = slots.scales(models)
    had = {slot: _incumbent(slot, name, models, run) for slot, name in incumbents.items() if slot in RULES}
    holders = {slot: it.model for slot, it in had.items() if it.model}
    evidence = state.after(before, run, models, holders, by, when)
    scores = {it.weights: slots.candidate(it, by) for it in models}
    able = {slot: _able(slot, models, by, scores) for slot in RULES}
    chooser = _Chooser(models, by, able, scores, holders, evidence)
    three = next((it for it in chooser.sets() if fits(it)), None)
    if three is None:
        raise ValueError(chooser.none())
    return Decision(run, when, models, by, scores, had, evidence, dict(zip(RULES, three, strict=True)))


def limit(models: Collection[Measured]) -> float:
    """Return from what evidence on a challenger is better beyond doubt, however many there are of them."""
    return BEYOND_DOUBT * max(1, len(models) - 1)


def _incumbent(slot: int, name: str, models: list[Measured], run: Run) -> Incumbent:
    found = next((it for it in models if it.called(name)), None)
    key = names.parse(name).key
    failed = next((why for it, why in run.failed.items() if names.parse(it).key == key), "")
    if not found and not failed:
        raise ValueError(
            f"{SLOT_KEYS[slot]}: expected results of {name}, which has the slot, found none: measure it as well, "
            "to tell whether another is better"
        )
    return Incumbent(name, found, failed)


def _able(slot: int, models: list[Measured], by: Scales, scores: Mapping[str, Candidate]) -> list[Measured]:
    of = {it.model: it for it in models if not slots.unfit(it, slot, by)}
    return [of[it.model] for it in ranked(slot, (scores[it.weights] for it in of.values()))]


@dataclass(frozen=True)
class _Chooser:
    """Which models are preferred for a slot, and which sets of three for all.

    + able: those that are fit for a slot, by rank
    """

    models: list[Measured]
    by: Scales
    able: dict[int, list[Measured]]
    scores: Mapping[str, Candidate]
    holders: Mapping[int, Measured]
    evidence: State

    def preferred(self, slot: int, taken: Collection[str] = ()) -> list[Measured]:
        """Return the models that a slot may get, those that it should get first; without those of some weights."""
        order = [it for it in self.able[slot] if it.weights not in taken]
        holder = self.holders.get(slot)
        if holder is None or not any(it is holder for it in order):
            return self._sparing(slot, order)
        better = [it for it in order if it is not holder and self.beats(slot, it, holder)]
        first = {it.weights for it in (*better, holder)}
        rest = [it for it in order if it.weights not in first]
        return [*self._sparing(slot, better), holder, *self._sparing(slot, rest)]

    def _sparing(self, slot: int, order: list[Measured]) -> list[Measured]:
        """Return an order in which the model that slot 3 would keep comes after those that tie with it.

        Slot 3 has another one than slots 1 and 2: where they took its model, it would switch for nothing.
        """
        third = self.holders.get(3)
        if third is None or slot == 3 or not any(it is third for it in order):
            return order
        if next(iter(self.preferred(3)), None) is not third:
            return order
        equal = [it for it in order if it is not third and slot in race.open_to(it, {slot: third}, self.by)]
        first = {it.weights for it in (*equal, third)}
        return [*equal, third, *(it for it in order if it.weights not in first)]

    def beats(self, slot: int, challenger: Measured, holder: Measured) -> bool:
        """Return whether a challenger is better beyond doubt, and in this run too."""
        score = RULES[slot][1]
        higher = score(self.scores[challenger.weights]) > score(self.scores[holder.weights])
        return higher and self.evidence.of(slot, challenger) >= limit(self.models)

    def sets(self) -> Iterator[Three]:
        """Return all sets of three, the preferred first. Slot 3 has other weights than slots 1 and 2."""
        for one in self.preferred(1):
            for two in self.preferred(2):
                for three in self.preferred(3, {one.weights, two.weights}):
                    yield one, two, three

    def none(self) -> str:
        """Return why there is no set."""
        able = len(list(self.sets()))
        if able:
            return (
                f"expected models that fit into GPU memory beside slot 4's, found none among {able} sets of three"
            )
        counts = ", ".join(f"{len(self.preferred(slot))} for slot {slot}" for slot in RULES)
        return f"expected a model for each slot, and another one for slot 3, found {counts}: measure more models"

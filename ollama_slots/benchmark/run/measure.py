"""Measure on a host what is not measured yet: speed once a kind of host, quality once for the fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.choice.composite import ANSWERED, FAMILIES
from ollama_slots.benchmark.choice.measured import Answers
from ollama_slots.benchmark.items.item import Item
from ollama_slots.benchmark.run import compare, course, week
from ollama_slots.benchmark.run.bench import Bench, Subject
from ollama_slots.benchmark.run.marks import Marks
from ollama_slots.benchmark.run.week import Week
from ollama_slots.core import names
from ollama_slots.core.differences import short

Found = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Kit:
    """What a run measures with.

    + directory: where answers and speeds are kept
    + items: in the order in which they are asked
    + basis: what evidence depends on beside weights
    + found: the weights that hosts have by each name, and on which host, by the name's key
    """

    directory: Path
    items: Sequence[Item]
    basis: str
    marks: Marks
    found: Found

    @cached_property
    def digest(self) -> str:
        """Of the items."""
        return course.digest(self.items)

    def passed(self, of: Week) -> compare.Passed:
        """Return which items each model passed that the run compares, and that is not asked any more."""
        found = {}
        for weights, model in of.models.items():
            if compare.wanted(of, model) and model.settled == self.digest:
                with Kept(self.directory, weights, of.seed) as kept:
                    found[weights] = self.marks.of(self.items, kept, model.digest)
        return found


def introduce(bench: Bench, of: Week, challengers: Sequence[str]) -> None:
    """Note what a host has room for, holds, and is to compare: of all hosts, before any is measured."""
    of.rooms[bench.name] = bench.room
    of.before = of.before.with_slots(bench.holds)
    of.held += bench.holds.values()
    for model in (*of.before.incumbents.values(), *bench.holds.values(), *challengers):
        of.want(model)


def agree(benches: Sequence[Bench], of: Week) -> Found:
    """Check that each name is the same model on all hosts that have it: one has one place in the file.

    Raises BenchmarkError with one line.
    """
    found: Found = {}
    for model in of.wanted:
        for it in benches:
            if weights := it.weights(model):
                _note(found, model, weights, it.name)
    return found


def _note(found: Found, model: str, weights: str, host: str) -> None:
    """Note what a host has by a name. Raises BenchmarkError where another host has something else by it."""
    by = found.setdefault(names.parse(model).key, {})
    by.setdefault(weights, host)
    if len(by) > 1:
        where = " and ".join(f"{short(weights)} on {host}" for weights, host in by.items())
        raise BenchmarkError(
            f"{model}: expected the same weights on all hosts, found {where}: pull it anew where it is older, "
            "and deploy"
        )


def measure(bench: Bench, of: Week, challengers: Sequence[str], kit: Kit) -> None:
    """Measure the models of a host's slots, those that have the slots, and the challengers, one after the other.

    What is measured is kept at once. A challenger that cannot be measured here is noted; another host may do it.
    Raises BenchmarkError, when all is done, with why a model of a slot could not be measured.
    """
    lost = []
    for model in dict.fromkeys([*of.before.incumbents.values(), *bench.holds.values(), *challengers]):
        try:
            if _is_measured(model, bench, of, kit):
                continue
            with bench.subject(model) as subject:
                # What the host has just pulled need not be what another one has by that name.
                _known(subject.model, subject.weights, of, bench, kit)
                _measure(subject, of, bench, kit)
        except BenchmarkError as error:
            of.failed.setdefault(model, f"{error}")
            bench.tell(f"{model} is not measured here: {error}")
            if model in bench.holds.values():
                lost.append(f"{error}")
        week.write(kit.directory, of)
    if lost:
        raise BenchmarkError("; ".join(lost))


def _known(model: str, weights: str, of: Week, bench: Bench, kit: Kit) -> None:
    """Note what a host has by a name. Raises BenchmarkError where it differs: then none is chosen by that name."""
    try:
        _note(kit.found, model, weights, bench.name)
    except BenchmarkError:
        of.forget(model)
        raise


def _is_measured(model: str, bench: Bench, of: Week, kit: Kit) -> bool:
    if there := bench.weights(model):
        _known(model, there, of, bench, kit)
    weights = there or of.weights(model)
    if weights not in of.models or of.timed(bench.room.kind, weights) is None:
        return False
    of.met(model, weights, of.models[weights].digest)
    return _is_settled(weights, of, kit)


def _is_settled(weights: str, of: Week, kit: Kit) -> bool:
    """Return whether a model has nothing more to answer. One that has a slot by now is not dropped."""
    known = of.models[weights]
    return known.settled == kit.digest and not (known.dropped and compare.has_a_slot(of, known))


def _measure(subject: Subject, of: Week, bench: Bench, kit: Kit) -> None:
    weights, kind = subject.weights, bench.room.kind
    of.met(subject.model, weights, subject.digest)
    if of.timed(kind, weights) is None:
        known_there = of.speeds.setdefault(kind, {})
        known_there[weights] = subject.speed().with_takes_of(known_there.get(weights))
        week.write(kit.directory, of)
    if _is_settled(weights, of, kit):
        return
    known = of.models[weights].model_copy(update={"digest": subject.digest, "settled": "", "dropped": False})
    of.models[weights] = known
    others, dropped = kit.passed(of), False
    with Kept(kit.directory, weights, of.seed) as kept:

        def goes_on(upto: Sequence[Item]) -> bool:
            nonlocal dropped
            now = {**others, weights: kit.marks.of(upto, kept, subject.digest)}
            why = "" if compare.has_a_slot(of, known) else _too_silent(kit.items, upto, now[weights], others)
            if not why and not compare.may_win(of, kind, weights, now):
                why = "for each slot another model is better beyond doubt"
            if why:
                bench.tell(f"{subject.model} is asked no more after {len(upto)} of {len(kit.items)} items: {why}")
            dropped = bool(why)
            return not dropped

        subject.ask(kit.items, kept, goes_on)
    of.models[weights] = known.model_copy(update={"settled": kit.digest, "dropped": dropped})


def _too_silent(
    items: Sequence[Item], asked: Sequence[Item], answers: Mapping[str, Answers], others: compare.Passed
) -> str:
    """Return why a model cannot be compared any more, whatever it answers from now on; nothing if it can.

    Who does not answer is waited for, item after item: for hours, if nobody minded. What no other model has
    answered does not count in a comparison.

    + others: what those answered that were measured before it
    """
    known = {it for of_one in others.values() for found in of_one.values() for it in found}
    items, asked = ([it for it in all_ if it.id in known or not others] for all_ in (items, asked))
    for aspect, families in FAMILIES.items():
        count = sum(it.family in families for it in items)
        missing = sum(it.family in families and it.id not in answers.get(it.family, {}) for it in asked)
        if count - missing < ANSWERED * count:
            return f"it left {missing} of {count} {aspect} items unanswered"
    return ""

"""Compare what was measured: whether a candidate may still win, which sets fit, and what is chosen. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ollama_slots.benchmark.choice import race, slots, state
from ollama_slots.benchmark.choice.decide import Decision, Fits, Three, decide
from ollama_slots.benchmark.choice.measured import Answers, Measured, Run
from ollama_slots.benchmark.run.week import Model, Room, Timed, Week, Windows
from ollama_slots.core import names
from ollama_slots.core.placing import Taken, fit, in_order
from ollama_slots.core.selection import RULES, SLOT_KEYS, ranked

Passed = Mapping[str, Mapping[str, Answers]]  # which items of each family, by weights
PREFIX = "sha256:"


def wanted(of: Week, model: Model) -> bool:
    """Return whether a run compares a model, which may be one of an earlier run in the same week."""
    return any(model.called(it) for it in of.wanted)


def has_a_slot(of: Week, model: Model) -> bool:
    """Return whether a model is an incumbent."""
    return any(model.called(it) for it in of.before.incumbents.values())


def may_win(of: Week, kind: str, weights: str, passed: Passed) -> bool:
    """Return whether a candidate may still win a slot from whom has it, or from the best so far; or keep its own.

    + passed: of the candidate, so far; and of those that were measured before it
    """
    candidate, *others = sorted(_models(of, kind, passed), key=lambda it: it.weights != PREFIX + weights)
    if of.before.incumbents.keys() >= RULES.keys():  # then the order of candidates makes no difference
        others = [it for it in others if has_a_slot(of, of.models[it.weights.removeprefix(PREFIX)])]
    try:
        by = slots.scales(others)
    except ValueError:  # nobody to compare it with
        return True
    # What it would be measured by, if it is asked all: with the speed that it has itself.
    speed = candidate.tokens_per_sec.median
    by = {aspect: it._replace(fastest=max(it.fastest, speed)) for aspect, it in by.items()}
    scores = {it.model: slots.candidate(it, by) for it in others}
    holders = {}
    for slot in RULES:
        had = of.before.incumbents.get(slot)
        fit_for = [it for it in others if it.called(had)] if had else _fit_for(slot, others, by)
        if best := ranked(slot, [scores[it.model] for it in fit_for]):
            holders[slot] = next(it for it in others if it.model == best[0].model)
    return bool(race.open_to(candidate, holders, by))


def _fit_for(slot: int, others: list[Measured], by: slots.Scales) -> list[Measured]:
    return [it for it in others if not slots.unfit(it, slot, by)]


def choice(of: Week, passed: Passed, basis: str, when: str) -> Decision:
    """Choose from what a week has measured. Raises ValueError with one line where that does not do.

    Whom a slot of a host has, and who could not be measured there, does not lose it for that.
    """
    kind = deciding(of)
    models = _models(of, kind, passed)
    failed = {}
    for name in of.wanted:
        if any(it.called(name) for it in models):
            continue
        why = of.failed.get(name, f"it was not measured on {kind or 'any host'}")
        slot = next((slot for slot, it in of.before.incumbents.items() if names.same(it, name)), None)
        if slot and (name not in of.failed or any(names.same(name, it) for it in of.held)):
            raise ValueError(
                f"{SLOT_KEYS[slot]}: expected results of {name}, which has the slot, found none: {why}"
            )
        failed[name] = why
    run = Run(seed=of.seed, basis=basis, models=tuple(models), failed=failed)
    return decide(run, of.before.incumbents, state.read(of.before.file or "{}"), fits(of, kind), when)


def deciding(of: Week) -> str:
    """Return the kind of host whose speeds are compared: that on which most models were measured, or the first."""
    kinds = dict.fromkeys(it.kind for it in of.rooms.values())
    these = {weights for weights, it in of.models.items() if wanted(of, it)}
    return max(kinds, key=lambda kind: sum(of.timed(kind, it) is not None for it in these), default="")


def _models(of: Week, kind: str, passed: Passed) -> list[Measured]:
    """Return what was measured of each model whose speed is known on a kind of host."""
    found = []
    for weights, answers in passed.items():
        model, timed = of.models[weights], of.timed(kind, weights)
        called = [it for it in of.wanted if model.called(it)]
        if timed and called:
            found.append(_model(weights, model.digest, called, dict(answers), timed, of.least.windows))
    return found


def _model(
    weights: str, digest: str, called: list[str], answers: dict[str, Answers], timed: Timed, windows: Windows
) -> Measured:
    return Measured(
        model=called[0],
        also_named=tuple(called[1:]),
        weights=PREFIX + weights,
        digest=digest,
        answers=answers,
        tokens_per_sec=timed.tokens_per_sec,
        ttft_ms=timed.ttft_ms,
        gpu_bytes=timed.gpu_bytes(windows),
        at_depth=timed.at_depth,
    )


def fits(of: Week, kind: str) -> Fits:
    """Return what tells whether three models fit into the GPU memory of each host, with what its other slots have.

    + kind: of the hosts on which all of them were measured, for those of a kind on which one was not
    """

    def fits_everywhere(three: Three) -> bool:
        weights = [it.weights.removeprefix(PREFIX) for it in three]
        return all(
            _fits(
                room,
                {it: (of.timed(room.kind, it) or of.speeds[kind][it]) for it in weights},
                weights,
            )
            for room in of.rooms.values()
        )

    return fits_everywhere


def _fits(room: Room, timed: Mapping[str, Timed], weights: list[str]) -> bool:
    """Return whether models fit beside a host's other slots. What shares weights is one runner: the larger one."""
    if room.cards is None:
        return True
    runners: dict[str, Taken] = dict(room.others)
    for slot, it in zip(RULES, weights, strict=True):
        takes = timed[it].takes[slot][room.windows[slot]]
        runners[it] = max(runners.get(it, takes), takes, key=lambda taken: taken.held)
    return fit(in_order(runners.values()), room.cards, room.rule)

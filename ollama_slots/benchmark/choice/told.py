"""Say which model each slot gets, why, and what was close."""

from __future__ import annotations

from typing import Any

from ollama_slots.benchmark.choice import race, slots
from ollama_slots.benchmark.choice.decide import Decision, limit
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.core.selection import RULES


def choice(decision: Decision, slot: int) -> dict[str, Any]:
    """Return what there is to say of a slot: model, why, and where there are such: was, tied, passed_over."""
    was = decision.incumbents.get(slot)
    changed = was is not None and not decision.chosen[slot].called(was.name)
    tied = [it.model for it in _others(decision, slot) if _tied(decision, slot, it)]
    over = {it.model: why for it in _others(decision, slot) if (why := _passed_over(decision, slot, it))}
    told: dict[str, Any] = {"model": decision.named(slot), "why": _why(decision, slot)}
    return told | ({"was": was.name} if was and changed else {}) | _some(tied=tied, passed_over=over)


def lines(decision: Decision) -> list[str]:
    """Return the same of all slots, for people."""
    said = []
    for slot in RULES:
        it = choice(decision, slot)
        said.append(f"slot {slot}: {it['model']}: {it['why']}")
        if "tied" in it:
            said.append(f"  no difference beyond doubt from {', '.join(it['tied'])}")
        said += [f"  not {name}: {why}" for name, why in it.get("passed_over", {}).items()]
    return said


def _why(decision: Decision, slot: int) -> str:
    was, chosen = decision.incumbents.get(slot), decision.chosen[slot]
    best = f"{RULES[slot][0]} {_score(decision, slot, chosen):.3f}{_but_for(decision, slot)}"
    if was is None:
        return best
    if was.model is None:
        return f"{was.name} had the slot and was not measured, {was.failed}: {best}"
    if chosen is was.model:
        return f"stays: {_challengers(decision, slot, was.model)}"
    unfit = slots.unfit(was.model, slot, decision.by)
    if unfit:
        return f"{was.name} had the slot and {unfit}: {best}"
    if slot == 3 and was.model in (decision.chosen[1], decision.chosen[2]):
        return f"{was.name} had the slot and has another one: {best}"
    found, wanted = decision.evidence.of(slot, chosen), limit(decision.models)
    if found >= wanted:
        return f"better than {was.name} beyond doubt (evidence {figure(found)} of {figure(wanted)})"
    return f"{was.name} had the slot and does not fit beside the others: {best}"


def _but_for(decision: Decision, slot: int) -> str:
    spared = _spared(decision, slot)
    return f", but for {decision.named(3)}, which has slot 3 and is not better beyond doubt" if spared else ""


def _spared(decision: Decision, slot: int) -> Measured | None:
    """Return the model that keeps slot 3, where it ranks before a slot's and is not better beyond doubt."""
    third, chosen = decision.incumbents.get(3), decision.chosen[slot]
    if third is None or third.model is None or slot == 3 or decision.chosen[3] is not third.model:
        return None
    if slots.unfit(third.model, slot, decision.by):
        return None
    ranks_before = _score(decision, slot, third.model) > _score(decision, slot, chosen)
    equal = slot in race.open_to(chosen, {slot: third.model}, decision.by)
    return third.model if ranks_before and equal else None


def _challengers(decision: Decision, slot: int, holder: Measured) -> str:
    compared = [it for it in _others(decision, slot) if not slots.unfit(it, slot, decision.by)]
    if not compared:
        return "no other model that is fit for the slot is left"
    nearest = max(compared, key=lambda it: decision.evidence.of(slot, it))  # the first of equal ones
    more = _score(decision, slot, nearest) - _score(decision, slot, holder)
    found, wanted = decision.evidence.of(slot, nearest), limit(decision.models)
    figures = f"{nearest.model} {more:+.3f}, evidence {figure(found)} of {figure(wanted)}"
    if found >= wanted and more > 0:
        return f"what is better does not fit ({figures})"
    return f"no model is better beyond doubt ({figures})"


def _passed_over(decision: Decision, slot: int, other: Measured) -> str:
    """Return why a model that is no tie, or better, did not get the slot, where that is not its composite."""
    unfit = slots.unfit(other, slot, decision.by)
    was, better = (
        decision.incumbents.get(slot),
        _score(decision, slot, other) > _score(decision, slot, decision.chosen[slot]),
    )
    if unfit or not better or other is _spared(decision, slot):
        return unfit
    waits = was is not None and was.model is decision.chosen[slot]
    beyond = decision.evidence.of(slot, other) >= limit(decision.models)
    return "" if waits and not beyond else "does not fit into GPU memory with what the other slots need"


def _tied(decision: Decision, slot: int, other: Measured) -> bool:
    """Return whether neither is better beyond doubt: the other by all evidence, the chosen one by this run's."""
    if slots.unfit(other, slot, decision.by):
        return False
    held = decision.evidence.slots.get(f"slot{slot}")
    against = held is not None and held.incumbent == decision.chosen[slot].weights
    if against and decision.evidence.of(slot, other) >= limit(decision.models):
        return False
    return slot in race.open_to(other, {slot: decision.chosen[slot]}, decision.by)


def _others(decision: Decision, slot: int) -> list[Measured]:
    """Return the models that might have had a slot: for slot 3, those that slots 1 and 2 left."""
    gone = [decision.chosen[it] for it in (RULES if slot == 3 else [slot])]
    return [it for it in decision.models if not any(it is other for other in gone)]


def _score(decision: Decision, slot: int, model: Measured) -> float:
    return RULES[slot][1](decision.scores[model.weights])


def figure(value: float) -> str:
    """Return evidence as people read it."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}" if value < 10**6 else "more than a million"


def _some(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}

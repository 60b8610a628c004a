"""The evidence that is kept from run to run, and what a run adds to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import Field, ValidationError

from ollama_slots.benchmark.choice import evidence
from ollama_slots.benchmark.choice.evidence import Wealth
from ollama_slots.benchmark.choice.measured import Fixed, Measured, Run, Weights
from ollama_slots.benchmark.choice.slots import Scales, ahead, families
from ollama_slots.core.errors import first_error


class Held(Fixed):
    """A slot's incumbent by its weights, and what has been bet against it, by the challenger's weights."""

    incumbent: Weights
    against: dict[Weights, Wealth] = Field(default_factory=dict)


class State(Fixed):
    """The evidence of all slots, by "slot" and its number.

    + basis: of the runs that it comes from
    """

    basis: str = ""
    slots: dict[str, Held] = Field(default_factory=dict)

    def of(self, slot: int, challenger: Measured) -> float:
        """Return the evidence that a challenger is better than a slot's incumbent; 1 is none."""
        held = self.slots.get(f"slot{slot}")
        wealth = held.against.get(challenger.weights) if held else None
        return wealth.evidence if wealth else 1.0


def read(text: str) -> State:
    """Return the evidence in a model_selection.json; none in one that somebody else wrote.

    Raises ValueError with one line where it is not what this program writes.
    """
    content = json.loads(text)
    benchmark = content.get("benchmark") if isinstance(content, dict) else None
    if not isinstance(benchmark, dict) or "evidence" not in benchmark:
        return State()
    try:
        return State.model_validate_json(json.dumps(benchmark["evidence"]))
    except ValidationError as error:
        raise ValueError(f"benchmark.evidence.{first_error(error)}: remove it, to begin anew") from None


def after(
    state: State, run: Run, models: Sequence[Measured], holders: Mapping[int, Measured], by: Scales, when: str
) -> State:
    """Return the evidence after a run; of a slot with another incumbent, or on another basis, it begins anew.

    All that was measured counts, of dropped models too: evidence without the bad weeks would grow by itself.
    """
    slots = {}
    for slot, holder in sorted(holders.items()):
        before = state.slots.get(f"slot{slot}")
        known = before is not None and (before.incumbent, state.basis) == (holder.weights, run.basis)
        against = dict(before.against) if before and known else {}
        for it in models:
            if it.weights != holder.weights:
                wealth = against.get(it.weights, Wealth(since=when))
                lead = ahead(it, holder, slot, by)
                against[it.weights] = evidence.after(wealth, it, holder, families(slot), run.seed, lead)
        slots[f"slot{slot}"] = Held(incumbent=holder.weights, against=dict(sorted(against.items())))
    return State(basis=run.basis, slots=slots)

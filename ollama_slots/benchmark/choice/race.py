"""Drop a candidate early that cannot win any more: what it is not asked, the GPU need not answer."""

from __future__ import annotations

from collections.abc import Mapping

from ollama_slots.benchmark.choice import evidence
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.benchmark.choice.slots import ASPECTS, Scales, ahead, families


def open_to(candidate: Measured, holders: Mapping[int, Measured], by: Scales) -> list[int]:
    """Return the slots that a candidate may still win; none: drop it.

    To be asked after each block. The bet is that the holder is better, on the items of this run alone, so that an
    equal candidate is dropped from a slot by mistake in 1 of 20 runs at the most.

    + candidate: with the answers so far. A block has to hold the families in the shares that a run has them in.
    + holders: whom it would have to beat, by slot: the incumbents, or the best so far
    """
    return [slot for slot in ASPECTS if slot not in holders or not _worse(candidate, holders[slot], slot, by)]


def _worse(candidate: Measured, holder: Measured, slot: int, by: Scales) -> bool:
    start = evidence.Wealth(since="")
    # Of a few items nobody knows yet whether a model is above the floor: its speed counts.
    by = {aspect: it._replace(floor=0.0) for aspect, it in by.items()}
    # Turned round: the holder challenges the candidate.
    lead = ahead(holder, candidate, slot, by)
    return evidence.after(start, holder, candidate, families(slot), 0, lead).evidence >= evidence.BEYOND_DOUBT

"""What a slot's model is compared by: slot 1 by coding, slot 2 by general, slot 3 by the mean of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ollama_slots.benchmark.choice import composite
from ollama_slots.benchmark.choice.composite import FAMILIES, Scale
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.core.results import Candidate

ASPECTS: dict[int, tuple[str, ...]] = {1: ("coding",), 2: ("general",), 3: ("coding", "general")}
Scales = Mapping[str, Scale]


def scales(models: Sequence[Measured]) -> dict[str, Scale]:
    """Return what a run's models are measured by. Raises ValueError where it measured nothing to choose by."""
    if not models:
        raise ValueError("expected results of at least one model, found none: nothing is chosen; see what failed")
    found = {}
    for aspect in FAMILIES:
        by = composite.scale(models, aspect)
        if by is None:
            raise ValueError(
                f"expected a model that answers {aspect} items, found none of {len(models)} that passed one and "
                f"answered {composite.ANSWERED:.0%}: nothing is chosen; look at the answers"
            )
        found[aspect] = by
    return found


def families(slot: int) -> list[str]:
    """Return the families of items that count for a slot."""
    return [family for aspect in ASPECTS[slot] for family in FAMILIES[aspect]]


def ahead(challenger: Measured, incumbent: Measured, slot: int, by: Scales) -> float:
    """Return by how much speed alone puts a challenger's composite ahead, beyond what is noise."""
    leads = [composite.ahead(challenger, incumbent, aspect, by[aspect]) for aspect in ASPECTS[slot]]
    return sum(leads) / len(leads)


def candidate(model: Measured, by: Scales) -> Candidate:
    """Return a model as a selection file's reader sees it."""
    coding, general = (
        round(composite.composite(model, aspect, by[aspect]), 6) for aspect in ("coding", "general")
    )
    return Candidate(model.model, coding, general, model.tokens_per_sec.median)


def unfit(model: Measured, slot: int, by: Scales) -> str:
    """Return why a model is not compared for a slot; nothing if it is."""
    for aspect in FAMILIES:
        if not composite.complete(model, aspect, by[aspect].items):
            return f"answered {len(model.of(FAMILIES[aspect]))} of {by[aspect].items} {aspect} items"
    for aspect in ASPECTS[slot]:
        share = composite.quality(model, aspect) or 0.0
        if share < by[aspect].floor:
            return f"passed {share:.0%} of the {aspect} items, and the floor is {by[aspect].floor:.0%}"
    return ""

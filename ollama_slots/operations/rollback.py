"""Roll back slots to their previous variants."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import operation

from ollama_slots.core import rollback as back
from ollama_slots.core import versions
from ollama_slots.core.observed import Observed
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Step
from ollama_slots.run.executor import take
from ollama_slots.run.gather import detailed, gather, planned
from ollama_slots.run.session import Commands, looks, say_once


@operation()
def rollback(settings: Settings) -> Commands:
    """Roll back slots to their previous variants, by the same rotation that replaced them.

    + settings: of this host; ``rollback`` names a slot, or all of them

    The state and the Modelfile follow. What the data declare is as it was, so the next deploy would go forward
    again: it is told.

    Idempotency: a slot that holds the older one of its two variants is left alone.
    """
    yield from take(settings, _to_what_was, "every slot is back")
    observed = next(looks(settings))[0] if host.state.is_executing else None
    if observed and observed.listed is not None and observed.runners is not None:
        try:
            told = [f"the next deploy would: {step}" for step in planned(gather(settings, observed))]
        except ValueError as error:
            told = [f"the next deploy would be refused: {error}"]
        for line in told:
            say_once(line)


def _to_what_was(settings: Settings, observed: Observed, begins: bool) -> list[Step]:
    if refusal := versions.refusal(observed.version):
        raise ValueError(refusal)
    snapshot = detailed(Snapshot(settings, observed))
    steps = back.steps(snapshot)
    if begins:
        for notice in [*back.notices(snapshot), *back.unable(snapshot)]:
            say_once(notice)
        if back.nothing(snapshot):
            say_once("no slot has a previous variant to roll back to")
    return steps

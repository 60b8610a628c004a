"""List, and remove, undeclared models and slots of ours."""

from __future__ import annotations

from pyinfra.api import operation

from ollama_slots.core.observed import Observed
from ollama_slots.core.prune import lines, listing
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Step
from ollama_slots.facts import HostStored
from ollama_slots.run.executor import take
from ollama_slots.run.session import UNREADABLE, Commands, fact, say_once


@operation()
def prune(settings: Settings) -> Commands:
    """List undeclared models and slots of ours, and remove them if ``prune`` is true.

    + settings: of this host

    What someone else made or pulled is never touched (prune.py).

    Idempotency:

    + without ``prune`` it changes nothing
    + each removal is planned from what the host has then: after the last there is nothing more to remove
    """
    yield from take(settings, _to_remove, "nothing is removed")


def _to_remove(settings: Settings, observed: Observed, first: bool) -> list[Step]:
    stored = fact(HostStored, unit=settings.ollama_unit)
    if stored is None:
        raise ValueError(UNREADABLE)
    rows = listing(settings, observed, stored)
    if first and rows:
        for line in lines(settings, rows):
            say_once(line)
    return [row.step for row in rows if row.step and settings.prune]

"""Check, before anything is changed on any host, whether the deploy can succeed."""

from __future__ import annotations

from pyinfra.api import operation

from ollama_slots.core import environment, places
from ollama_slots.core.residency import no_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.host import render
from ollama_slots.run.gather import check, gather
from ollama_slots.run.session import Commands, looks, nothing, refuse, unread


@operation()
def preflight(settings: Settings) -> Commands:
    """Check, before anything is changed on any host, whether the deploy can succeed.

    + settings: of this host

    Models that are to be pulled are looked up in their registry, from the control machine. A registry that cannot
    be asked from there is a notice. With ``--dry`` it tells what each slot will need.

    Idempotency: it changes nothing.
    """
    observed, _ = next(looks(settings))
    if observed is None or observed.lacks:
        yield unread(observed)
        return
    reasons = places.refusals(settings, observed)
    reasons = reasons or environment.refusals(settings, observed, render.service(settings))
    if not reasons and (reason := no_gpu(settings, observed)):
        reasons = [reason]
    if reasons:
        yield refuse("; ".join(reasons))
        return
    if observed.listed is None or observed.runners is None:
        nothing(observed, "Ollama does not answer: its models are checked after it was started")
        return
    try:
        snapshot = gather(settings, observed)
        check(snapshot)
    except ValueError as error:
        yield refuse(str(error))
        return
    nothing(snapshot.observed, "preflight found no problem")

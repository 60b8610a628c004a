"""Pull bases, make variants, and rotate slots to what is declared."""

from __future__ import annotations

from pyinfra.api import operation

from ollama_slots.core.observed import Observed
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Step
from ollama_slots.run.executor import take
from ollama_slots.run.gather import check, gather, planned
from ollama_slots.run.session import Commands


@operation()
def models(settings: Settings) -> Commands:
    """Pull every base, make every variant, and rotate slots to what is declared.

    + settings: of this host

    A slot whose model changes is rotated beside the running one (host/rotate.sh). What fails leaves every slot
    as it was.

    Idempotency:

    + a base is pulled when it, or its weights, are not there
    + a variant is made when its Modelfile, its base's digest or its own digest differ from what its state says
    + each step is planned from what the host has then: an interrupted run is made good by the next
    """
    yield from take(settings, _to_what_is_declared, "every slot holds its declared model", by_look=True)


def _to_what_is_declared(settings: Settings, observed: Observed, begins: bool) -> list[Step]:
    snapshot = gather(settings, observed)
    if begins:
        check(snapshot)
    return planned(snapshot)

"""Take what is declared for the host at hand."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core import units
from ollama_slots.core.settings import Settings
from ollama_slots.host.desired import settings_of, with_defaults
from ollama_slots.run import errors
from ollama_slots.run.session import run


def settings() -> Settings:
    """Return the settings of the host at hand; errors of the run are kept from then on.

    Raises PyinfraError with one line where its data are wrong, or two names of the inventory are the same Ollama.
    """
    errors.listen()
    if not run().apart:  # whichever hosts --limit leaves out
        hosts = ((it.name, it.data.dict()) for it in host.inventory)  # type: ignore[no-untyped-call]
        if wrong := units.twice(hosts):
            raise PyinfraError(wrong)
        run().apart = True
    return settings_of(host.name, with_defaults(host.data.dict()))  # type: ignore[no-untyped-call]

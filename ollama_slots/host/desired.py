"""Check what is desired of a host: its data, with the files that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core import kinds
from ollama_slots.core.settings import DEFAULTS, Settings, Slot
from ollama_slots.host.render import checked_modelfile
from ollama_slots.selection import DEFAULT, slot_models


def with_defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """Add what a host's data do not say: the slots' names, and the models that a selection file gives them.

    Raises PyinfraError as ``slot_models`` does.
    """
    return {**DEFAULTS, **slot_models(DEFAULT), **data}


def settings_of(name: str, data: Mapping[str, Any]) -> Settings:
    """Check a host's data, the templates of its slots included.

    + name: the host's, for the message
    + data: all of it as pyinfra merged it; keys that are not ours are left alone

    Raises PyinfraError with one line: which host and key, what was expected and found, so that the run ends before
    anything on any host is changed.
    """
    try:
        settings = Settings.of(data)
        slots = [_as_made(it) for it in settings.slots]
    except ValueError as error:
        raise PyinfraError(f"{name}: {error}") from None
    return settings.model_copy(update={"slots": tuple(slots)})


def _as_made(slot: Slot) -> Slot:
    """Return a slot with what its Modelfile says of its runner."""
    return slot.model_copy(update={"runner": kinds.of_runner(checked_modelfile(slot))})

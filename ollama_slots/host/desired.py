"""Checks what is desired of a host: its data, with the templates that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core.settings import Settings
from ollama_slots.host.render import check_modelfile


def settings_of(name: str, data: Mapping[str, Any]) -> Settings:
    """Checks a host's data, its templates included.

    + name: the host's, for the message
    + data: all of it as pyinfra merged it; keys that are not ours are left alone

    Raises PyinfraError with one line: which host and key, what was expected and found, so that the run ends before
    anything on any host is changed.
    """
    try:
        settings = Settings.of(data)
        for slot in settings.slots:
            check_modelfile(slot)
    except ValueError as error:
        raise PyinfraError(f"{name}: {error}") from None
    return settings

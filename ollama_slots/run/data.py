"""Take what is declared for the host at hand."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import Host
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core import units
from ollama_slots.core.settings import Settings
from ollama_slots.host.desired import settings_of, with_defaults
from ollama_slots.run import errors
from ollama_slots.run.session import run


def settings() -> Settings:
    """Return the settings of the host at hand; errors of the run are kept from then on.

    Raises PyinfraError with one line where its data are wrong, or those of another host of the run, which is asked
    nothing then either, or two names of the inventory are the same Ollama.
    """
    errors.listen()
    if not run().apart:  # whichever hosts --limit leaves out
        hosts = ((it.name, it.data.dict()) for it in host.inventory)  # type: ignore[no-untyped-call]
        if wrong := units.twice(hosts):
            raise PyinfraError(wrong)
        for it in host.state.inventory.get_active_hosts():
            # One without slots may be no host of ours, with keys of its own.
            declares = any(f"{key}".startswith("slot") for key in it.data.dict())  # type: ignore[no-untyped-call]
            if declares and host.state.is_host_in_limit(it):
                _checked(it)
        run().apart = True
    return _checked(host)


def _checked(of: Host) -> Settings:
    data = with_defaults(of.data.dict())  # type: ignore[no-untyped-call]
    known = run().settings.get(of.name)
    if known is None or known[0] != data:  # a deploy.py may have given it more
        known = run().settings[of.name] = data, settings_of(of.name, data)
    return known[1]

"""Compare the environment of Ollama's process: desired, observed, and as the host's files will set it."""

from __future__ import annotations

from collections.abc import Iterable

from ollama_slots.core import meaning, owner
from ollama_slots.core.differences import differing
from ollama_slots.core.observed import Observed
from ollama_slots.core.rendered import ServiceFiles
from ollama_slots.core.settings import Settings

DATA = {"OLLAMA_KEEP_ALIVE": "keep_alive", "OLLAMA_MAX_LOADED_MODELS": "max_loaded_models"}


def declared(settings: Settings) -> dict[str, str]:
    """Return the variables that Ollama's process is to have."""
    return {
        "OLLAMA_KEEP_ALIVE": str(settings.keep_alive),
        "OLLAMA_MAX_LOADED_MODELS": str(settings.loaded_models),
    }


def outdated(ours: ServiceFiles, observed: Observed) -> list[str]:
    """Return the paths of our files that have to be written or removed."""
    of_earlier_deploys = [ours.outdated] if ours.outdated in observed.files else []
    return differing(ours.files, observed) + of_earlier_deploys


def stale(observed: Observed) -> bool:
    """Return whether systemd has yet to read the unit's files as they are."""
    return observed.service.get("NeedDaemonReload") == "yes"


def lacking(settings: Settings, observed: Observed) -> dict[str, str]:
    """Return the declared variables that Ollama's process lacks or has with another value; all, if it is down."""
    running = observed.environ or {}
    return {
        name: value
        for name, value in declared(settings).items()
        if name not in running or not meaning.same(name, running[name], value)
    }


def conflicts(settings: Settings, observed: Observed, ours: ServiceFiles) -> list[owner.Conflict]:
    """Find what on the host overrides declared variables, however often Ollama is restarted."""
    environment = declared(settings)
    theirs = {it.path for it in observed.settings} - set(ours.files)
    shown = set() if _changed_since(observed, theirs) else environment.keys() - lacking(settings, observed).keys()
    return owner.conflicts(environment, shown, observed, ours.drop_in, ours.environment)


def refusals(settings: Settings, observed: Observed, ours: ServiceFiles) -> list[str]:
    """Return why Ollama would not get the declared environment, so that it is not restarted in vain.

    A line for each reason: what was expected, what was found, what to do.
    """
    reasons = [
        f"{it.where}: expected {it.name}={it.wanted} to hold, found {it.found}: change that, or declare "
        f"{DATA[it.name]} as it is there; nothing was started"
        for it in conflicts(settings, observed, ours)
    ]
    lacks = lacking(settings, observed)
    changed = outdated(ours, observed) or _changed_since(observed, observed.changed)
    if lacks and observed.environ is not None and not changed and not reasons:
        reasons.append(in_vain(lacks, observed))
    return reasons


def at_stake(observed: Observed) -> bool:
    """Return whether a restart would lose what is in GPU memory, were the GPU's driver not to answer just then."""
    return any(it.size_vram for it in observed.runners or ())


def in_vain(lacks: dict[str, str], observed: Observed) -> str:
    """Return the message that Ollama lacks variables although all files are in place."""
    paths = ", ".join(sorted({it.path for it in observed.settings}))
    return (
        f"expected Ollama's process to have {words(lacks)}, found {words(has(observed, lacks)) or 'none of it'}, "
        f"and another start would not help, for nothing in {paths} sets it otherwise: find what does, "
        f"run systemctl restart {observed.unit.removesuffix('.service')} on the host, then deploy again"
    )


def has(observed: Observed, lacks: dict[str, str]) -> dict[str, str]:
    """Return what the process has in place of these variables."""
    return {name: value for name, value in (observed.environ or {}).items() if name in lacks}


def words(variables: dict[str, str]) -> str:
    """Return variables as text for people."""
    return ", ".join(f"{name}={value}" for name, value in variables.items())


def _changed_since(observed: Observed, paths: Iterable[str]) -> bool:
    """Return whether any of these may have changed since Ollama was started, so that a restart may help."""
    if observed.started is None or stale(observed):
        return True
    return any(observed.changed.get(path, 0) > observed.started for path in paths)

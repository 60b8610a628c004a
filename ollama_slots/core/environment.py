"""The environment of Ollama's process: as declared, as observed, and as the host's files will have it."""

from __future__ import annotations

from collections.abc import Iterable

from ollama_slots.core import meaning, owner
from ollama_slots.core.differences import differing
from ollama_slots.core.observed import Observed
from ollama_slots.core.rendered import ServiceFiles
from ollama_slots.core.settings import Settings

UNIT = "ollama.service"
DATA = {"OLLAMA_KEEP_ALIVE": "keep_alive", "OLLAMA_MAX_LOADED_MODELS": "max_loaded_models"}


def declared(settings: Settings) -> dict[str, str]:
    """Gives the variables that Ollama's process is to have."""
    return {
        "OLLAMA_KEEP_ALIVE": str(settings.keep_alive),
        "OLLAMA_MAX_LOADED_MODELS": str(settings.loaded_models),
    }


def outdated(ours: ServiceFiles, observed: Observed) -> list[str]:
    """Gives the paths of our files that are to be written, or to be taken away."""
    of_earlier_deploys = [ours.outdated] if ours.outdated in observed.files else []
    return differing(ours.files, observed) + of_earlier_deploys


def stale(observed: Observed) -> bool:
    """Says whether systemd has yet to read the unit's files as they are."""
    return observed.units.get(UNIT, {}).get("NeedDaemonReload") == "yes"


def lacking(settings: Settings, observed: Observed) -> dict[str, str]:
    """Gives the variables that Ollama's process lacks or has otherwise, as declared; all, where none runs."""
    running = observed.environ or {}
    return {
        name: value
        for name, value in declared(settings).items()
        if name not in running or not meaning.same(name, running[name], value)
    }


def conflicts(settings: Settings, observed: Observed, ours: ServiceFiles) -> list[owner.Conflict]:
    """Finds what on the host keeps variables from being as declared, however often Ollama is started."""
    environment = declared(settings)
    theirs = {it.path for it in observed.settings} - set(ours.files)
    shown = set() if _changed_since(observed, theirs) else environment.keys() - lacking(settings, observed).keys()
    return owner.conflicts(environment, shown, observed, ours.drop_in, ours.environment)


def refusals(settings: Settings, observed: Observed, ours: ServiceFiles) -> list[str]:
    """Says why Ollama would not get what is declared, so that it is not started for that.

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


def in_vain(lacks: dict[str, str], observed: Observed) -> str:
    """Says that Ollama was started with all in place, and lacks variables all the same."""
    paths = ", ".join(sorted({it.path for it in observed.settings}))
    return (
        f"expected Ollama's process to have {words(lacks)}, found {words(has(observed, lacks)) or 'none of it'}, "
        f"and another start would not help, for nothing in {paths} sets it otherwise: find what does, "
        "run systemctl restart ollama on the host, then deploy again"
    )


def has(observed: Observed, lacks: dict[str, str]) -> dict[str, str]:
    """Gives what the process has in place of these variables."""
    return {name: value for name, value in (observed.environ or {}).items() if name in lacks}


def words(variables: dict[str, str]) -> str:
    """Writes variables for people."""
    return ", ".join(f"{name}={value}" for name, value in variables.items())


def _changed_since(observed: Observed, paths: Iterable[str]) -> bool:
    """Whether any of these was changed since Ollama was started, as far as is known, so that a start may tell."""
    if observed.started is None or stale(observed):
        return True
    return any(observed.changed.get(path, 0) > observed.started for path in paths)

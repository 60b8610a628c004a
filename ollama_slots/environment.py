"""The environment of Ollama's process as declared, as found, and as the host's files will have it.

Pure, but for the templates that say what our files are to be.
"""

from __future__ import annotations

from collections.abc import Iterable

from ollama_slots import meaning, owner, render
from ollama_slots.difference import differing
from ollama_slots.found import Found
from ollama_slots.settings import Settings

UNIT = "ollama.service"
DATA = {"OLLAMA_KEEP_ALIVE": "keep_alive", "OLLAMA_MAX_LOADED_MODELS": "max_loaded_models"}


def outdated(settings: Settings, found: Found) -> list[str]:
    """Our files of the unit that are to be written, or to be taken away."""
    of_earlier_deploys = [render.OUTDATED] if render.OUTDATED in found.files else []
    return differing(render.service(settings), found) + of_earlier_deploys


def stale(found: Found) -> bool:
    """Whether systemd has yet to read the unit's files as they are."""
    return found.units.get(UNIT, {}).get("NeedDaemonReload") == "yes"


def lacking(settings: Settings, found: Found) -> dict[str, str]:
    """The variables that Ollama's process lacks or has otherwise, as declared; all, where none runs."""
    running = found.environ or {}
    return {
        name: value
        for name, value in render.environment(settings).items()
        if name not in running or not meaning.same(name, running[name], value)
    }


def conflicts(settings: Settings, found: Found) -> list[owner.Conflict]:
    """What is written on the host that keeps variables from being as declared, however often Ollama is started."""
    environment, ours = render.environment(settings), render.service(settings)
    theirs = {it.path for it in found.settings} - set(ours)
    shown = set() if _changed_since(found, theirs) else environment.keys() - lacking(settings, found).keys()
    return owner.conflicts(environment, shown, found, render.DROP_IN, render.ENVIRONMENT)


def refusals(settings: Settings, found: Found) -> list[str]:
    """Why Ollama would not get what is declared, and is not started for it: what was wanted, found, and to do."""
    reasons = [
        f"{it.where}: expected {it.name}={it.wanted} to hold, found {it.found}: change that, or declare "
        f"{DATA[it.name]} as it is there; nothing was started"
        for it in conflicts(settings, found)
    ]
    lacks, changed = lacking(settings, found), outdated(settings, found) or _changed_since(found, found.changed)
    if lacks and found.environ is not None and not changed and not reasons:
        reasons.append(in_vain(lacks, found))
    return reasons


def in_vain(lacks: dict[str, str], found: Found) -> str:
    """That Ollama was started with all in place, and lacks variables all the same."""
    paths = ", ".join(sorted({it.path for it in found.settings}))
    return (
        f"expected Ollama's process to have {words(lacks)}, found {words(has(found, lacks)) or 'none of it'}, and "
        f"another start would not help, for nothing in {paths} sets it otherwise: find what does, "
        "run systemctl restart ollama on the host, then deploy again"
    )


def has(found: Found, lacks: dict[str, str]) -> dict[str, str]:
    """What the process has in place of these variables."""
    return {name: value for name, value in (found.environ or {}).items() if name in lacks}


def words(variables: dict[str, str]) -> str:
    """Variables for people."""
    return ", ".join(f"{name}={value}" for name, value in variables.items())


def _changed_since(found: Found, paths: Iterable[str]) -> bool:
    """Whether any of these was changed since Ollama was started, as far as is known, so that a start may tell."""
    if found.started is None or stale(found):
        return True
    return any(found.changed.get(path, 0) > found.started for path in paths)

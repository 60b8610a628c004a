"""Render the files that go to a host, from the templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ollama_slots.core import address, environment
from ollama_slots.core.modelfile import check
from ollama_slots.core.observed import Observed
from ollama_slots.core.rendered import Files, Rendered, ServiceFiles
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import EMPTY, Settings, Slot
from ollama_slots.core.targets import Target
from ollama_slots.host import calls, scripts, template


def modelfile(target: Target) -> str:
    """Render the Modelfile of a slot's variant.

    Raises ValueError with one line where a template of the user's own cannot be filled in, or makes another slot.
    """
    return _modelfile(target.slot, target.model, target.num_ctx)


def _modelfile(slot: Slot, model: str | None, num_ctx: int) -> str:
    try:
        text = template.modelfile(slot.modelfile, slot=slot, model=model or EMPTY, num_ctx=num_ctx)
        if slot.modelfile is not None:
            check(text, model, num_ctx)
    except ValueError as error:
        raise ValueError(f"slot{slot.number}_modelfile: {error}") from None
    return text


def checked_modelfile(slot: Slot) -> str:
    """Try a slot's template, before any host is touched, and return what it gives.

    Raises ValueError with one line: no such file, or what is wrong with it.
    """
    if slot.modelfile is not None and not _is_file(slot.modelfile):
        raise ValueError(f"slot{slot.number}_modelfile: expected a template, found no file {slot.modelfile!r:.60}")
    return _modelfile(slot, None if slot.model == EMPTY else slot.model, slot.num_ctx)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # such as a name that is too long, or has a NUL in it
        return False


def service(settings: Settings) -> ServiceFiles:
    """Render the files of Ollama's unit that are ours."""
    paths = scripts.paths(unit=settings.ollama_unit)
    own, drop_in = paths["environment_file"], paths["drop_in"]
    values = {"environment": environment.declared(settings), "path": own}
    files = {
        own: ("644", template.fill("ollama-slots.env.j2", **values)),
        drop_in: ("644", template.fill("zz-ollama-slots.conf.j2", **values)),
    }
    return ServiceFiles(files, drop_in=drop_in, environment=own, outdated=paths["outdated_drop_in"])


def warm_up(settings: Settings, observed: Observed, root: str = "") -> Files:
    """Render the warm-up's script and unit; nothing where it is not known at which address Ollama is asked.

    + root: the directory that is the host; a host's own is ""

    The unit may reach that address, and no name server: it has a number for its host.
    """
    if observed.at is None:  # where it listens is not known before it runs
        return {}
    values = _values(settings, observed, observed.at, root, "engine", "ahead", "metrics")
    paths = scripts.paths(unit=settings.ollama_unit)
    return {
        paths["warm_up_script"]: ("755", template.fill("ollama-warmup.sh.j2", **values)),
        paths["warm_up_unit"]: ("644", template.fill("ollama-warmup.service.j2", **values)),
    }


def watch(settings: Settings, observed: Observed, root: str = "") -> Files:
    """Render the watch: its script, its two units, and their timer; nothing where there is to be none.

    + root: as for ``warm_up``
    """
    if observed.at is None or settings.watch == "off":
        return {}
    values = _values(settings, observed, observed.at, root, "mend", "metrics")
    paths = scripts.paths(unit=settings.ollama_unit)
    return {
        paths["watch_script"]: ("755", template.fill("ollama-slots-watch.sh.j2", **values)),
        paths["watch_unit"]: ("644", template.fill("ollama-slots-watch.service.j2", heals=False, **values)),
        paths["heal_unit"]: ("644", template.fill("ollama-slots-watch.service.j2", heals=True, **values)),
        paths["watch_timer_unit"]: ("644", template.fill("ollama-slots-watch.timer.j2", **values)),
    }


def _values(settings: Settings, observed: Observed, url: str, root: str, *libraries: str) -> dict[str, Any]:
    """Return what the templates of units and their scripts are filled in with."""
    unit = settings.ollama_unit
    return {
        "settings": settings,
        "needs_gpu": needs_gpu(settings, observed),
        "url": url,
        "beyond_loopback": address.beyond_loopback(url),
        "keep_alive": calls.keep_alive(settings),
        "libraries": scripts.libraries(*libraries, root=root, unit=unit),
        "paths": scripts.paths(unit=unit),
    }


def rendered(settings: Settings, observed: Observed) -> Rendered:
    """Render all files of a host."""
    return Rendered(modelfile, service(settings), warm_up(settings, observed), watch(settings, observed))

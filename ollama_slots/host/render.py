"""Renders the files that go to a host, from the templates."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ollama_slots.core import address, environment
from ollama_slots.core.observed import Observed
from ollama_slots.core.rendered import Files, Rendered, ServiceFiles
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import EMPTY, Settings, Slot
from ollama_slots.core.targets import Target
from ollama_slots.host import template

HOST_SCRIPTS = Path(__file__).parent
WARM_UP_SCRIPT = "/usr/local/lib/ollama-slots/ollama-warmup.sh"
WARM_UP_UNIT = "/etc/systemd/system/ollama-warmup.service"
RESTARTED = "/run/ollama-warmup.restarted"  # that Ollama was restarted for its GPU
# Its name has it read after override.conf, which `systemctl edit` writes.
DROP_IN = "/etc/systemd/system/ollama.service.d/zz-ollama-slots.conf"
ENVIRONMENT = "/etc/ollama/ollama-slots.env"
OUTDATED = "/etc/systemd/system/ollama.service.d/ollama-slots.conf"  # the drop-in of earlier deploys


@cache
def host_script(*names: str) -> str:
    """The text of one or more scripts of this room, one after the other."""
    return "".join((HOST_SCRIPTS / f"{name}.sh").read_text(encoding="utf-8") for name in names)


def keep_alive(settings: Settings) -> str:
    """Writes the keep-alive as a request's JSON has it: a number of seconds, or a quoted duration."""
    return json.dumps(settings.keep_alive)


def modelfile(target: Target) -> str:
    """Renders the Modelfile of a slot's variant. Raises ValueError as ``template.modelfile`` does."""
    slot = target.slot
    return template.modelfile(slot.modelfile, slot=slot, model=target.model, num_ctx=target.num_ctx)


def check_modelfile(slot: Slot) -> None:
    """Tries a slot's template, before any host is touched.

    Raises ValueError with one line: no such file, or what is wrong with it.
    """
    if slot.modelfile is not None and not _is_file(slot.modelfile):
        raise ValueError(f"slot{slot.number}_modelfile: expected a template, found no file {slot.modelfile!r:.60}")
    try:
        modelfile(Target(slot, slot.model or EMPTY, slot.num_ctx))
    except ValueError as error:
        raise ValueError(f"slot{slot.number}_modelfile: {error}") from None


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # such as a name that is too long, or has a NUL in it
        return False


def service(settings: Settings) -> ServiceFiles:
    """Renders the files of ``ollama.service`` that are ours."""
    values = {"environment": environment.declared(settings), "path": ENVIRONMENT}
    files = {
        ENVIRONMENT: ("644", template.fill("ollama-slots.env.j2", **values)),
        DROP_IN: ("644", template.fill("zz-ollama-slots.conf.j2", **values)),
    }
    return ServiceFiles(files, drop_in=DROP_IN, environment=ENVIRONMENT, outdated=OUTDATED)


def warm_up(settings: Settings, observed: Observed) -> Files:
    """Renders the warm-up's script and unit; nothing where it is not known at which address Ollama is asked.

    The unit may reach that address, and no name server: it has a number for its host.
    """
    if observed.at is None:  # where it listens is not known before it runs
        return {}
    values = {
        "settings": settings,
        "needs_gpu": needs_gpu(settings, observed),
        "url": observed.at,
        "beyond_loopback": address.beyond_loopback(observed.at),
        "engine": host_script("ask", "engine"),
        "metrics": host_script("metrics"),
        "script": WARM_UP_SCRIPT,
        "restarted": RESTARTED,
    }
    return {
        WARM_UP_SCRIPT: ("755", template.fill("ollama-warmup.sh.j2", **values)),
        WARM_UP_UNIT: ("644", template.fill("ollama-warmup.service.j2", **values)),
    }


def rendered(settings: Settings, observed: Observed) -> Rendered:
    """Renders all files of a host."""
    return Rendered(modelfile, service(settings), warm_up(settings, observed))

"""The texts that go to a host, from the templates. Reads templates and host scripts, nothing else."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ollama_slots import address, template
from ollama_slots.settings import Settings
from ollama_slots.targets import Target

HOST_SCRIPTS = Path(__file__).parent / "host"
WARM_UP_SCRIPT = "/usr/local/lib/ollama-slots/ollama-warmup.sh"
WARM_UP_UNIT = "/etc/systemd/system/ollama-warmup.service"
RESTARTED = "/run/ollama-warmup.restarted"  # that Ollama was restarted for its GPU
# Its name has it read after override.conf, which `systemctl edit` writes.
DROP_IN = "/etc/systemd/system/ollama.service.d/zz-ollama-slots.conf"
ENVIRONMENT = "/etc/ollama/ollama-slots.env"
OUTDATED = "/etc/systemd/system/ollama.service.d/ollama-slots.conf"  # the drop-in of earlier deploys


@cache
def host_script(*names: str) -> str:
    """The text of one or more scripts of ``host/``, one after the other."""
    return "".join((HOST_SCRIPTS / f"{name}.sh").read_text(encoding="utf-8") for name in names)


def keep_alive(settings: Settings) -> str:
    """The keep-alive as a request's JSON has it: a number of seconds, or a quoted duration."""
    return json.dumps(settings.keep_alive)


def modelfile(target: Target) -> str:
    """The Modelfile of a slot's variant. Raises ValueError as ``template.modelfile`` does."""
    slot = target.slot
    return template.modelfile(slot.modelfile, slot=slot, model=target.model, num_ctx=target.num_ctx)


def environment(settings: Settings) -> dict[str, str]:
    """What Ollama's process is to have in its environment."""
    return {
        "OLLAMA_KEEP_ALIVE": str(settings.keep_alive),
        "OLLAMA_MAX_LOADED_MODELS": str(settings.loaded_models),
    }


def service(settings: Settings) -> dict[str, tuple[str, str]]:
    """The files of ``ollama.service`` that are ours: path to mode and text."""
    values = {"environment": environment(settings), "path": ENVIRONMENT}
    return {
        ENVIRONMENT: ("644", template.fill("templates/ollama-slots.env.j2", **values)),
        DROP_IN: ("644", template.fill("templates/zz-ollama-slots.conf.j2", **values)),
    }


def warm_up(settings: Settings, needs_gpu: bool, url: str) -> dict[str, tuple[str, str]]:
    """The warm-up's files: path to mode and text.

    + url: of Ollama, with a number for its host: the unit may reach that one, and no name server
    """
    values = {
        "settings": settings,
        "needs_gpu": needs_gpu,
        "url": url,
        "beyond_loopback": address.beyond_loopback(url),
        "engine": host_script("ask", "engine"),
        "metrics": host_script("metrics"),
        "script": WARM_UP_SCRIPT,
        "restarted": RESTARTED,
    }
    return {
        WARM_UP_SCRIPT: ("755", template.fill("templates/ollama-warmup.sh.j2", **values)),
        WARM_UP_UNIT: ("644", template.fill("templates/ollama-warmup.service.j2", **values)),
    }

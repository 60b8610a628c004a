"""The texts that go to a host, from the templates. Reads templates and host scripts, nothing else."""

from __future__ import annotations

from ollama_slots import address, template
from ollama_slots.host import scripts
from ollama_slots.settings import Settings
from ollama_slots.targets import Target

WARM_UP_SCRIPT = scripts.path("warm_up_script")
WARM_UP_UNIT = scripts.path("warm_up_unit")
DROP_IN = scripts.path("drop_in")
ENVIRONMENT = scripts.path("environment_file")
OUTDATED = scripts.path("outdated_drop_in")


def modelfile(target: Target) -> str:
    """The Modelfile of a slot's variant. Raises ValueError as ``template.fill`` does."""
    slot = target.slot
    return template.fill(slot.modelfile, slot=slot, model=target.model, num_ctx=target.num_ctx)


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


def warm_up(settings: Settings, needs_gpu: bool, url: str, root: str = "") -> dict[str, tuple[str, str]]:
    """The warm-up's files: path to mode and text.

    + url: of Ollama, with a number for its host: the unit may reach that one, and no name server
    + root: the directory that is the host; a host's own is ""
    """
    values = {
        "settings": settings,
        "needs_gpu": needs_gpu,
        "url": url,
        "beyond_loopback": address.beyond_loopback(url),
        "keep_alive": scripts.keep_alive(settings),
        "libraries": scripts.libraries("engine", "metrics", root=root),
        "script": WARM_UP_SCRIPT,
    }
    return {
        WARM_UP_SCRIPT: ("755", template.fill("templates/ollama-warmup.sh.j2", **values)),
        WARM_UP_UNIT: ("644", template.fill("templates/ollama-warmup.service.j2", **values)),
    }

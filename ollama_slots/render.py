"""The texts that go to a host, from the templates. Reads templates and host scripts, nothing else."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.settings import Parameter, Settings
from ollama_slots.targets import Target

HOST_SCRIPTS = Path(__file__).parent / "host"
WARM_UP_SCRIPT = "/usr/local/lib/ollama-slots/ollama-warmup.sh"
WARM_UP_UNIT = "/etc/systemd/system/ollama-warmup.service"
RESTARTED = "/run/ollama-warmup.restarted"  # that Ollama was restarted for its GPU
DROP_IN = "/etc/systemd/system/ollama.service.d/ollama-slots.conf"


def _modelfile_value(value: bool | int | float | str) -> str:
    """A value as a Modelfile spells it; text goes between triple quotes, which know no escape."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"""{value}"""' if isinstance(value, str) else str(value)


def _each(value: Parameter) -> list[bool | int | float | str]:
    return list(value) if isinstance(value, list) else [value]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([".", "/"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # no HTML here
    )
    environment.filters.update(modelfile=_modelfile_value, each=_each)
    return environment


def _render(template: str, **values: object) -> str:
    try:
        return _environment().get_template(template).render(**values)
    except Exception as error:  # a template is a user's code: whatever it raises is told of in one line
        reason = " ".join(f"{error}".split()) or "no reason given"
        raise PyinfraError(f"{template}: {type(error).__name__}: {reason:.200}") from None


@cache
def host_script(*names: str) -> str:
    """The text of one or more scripts of ``host/``, one after the other."""
    return "".join((HOST_SCRIPTS / f"{name}.sh").read_text(encoding="utf-8") for name in names)


def keep_alive(settings: Settings) -> str:
    """The keep-alive as a request's JSON has it: a number of seconds, or a quoted duration."""
    return json.dumps(settings.keep_alive)


def modelfile(target: Target) -> str:
    """The Modelfile of a slot's variant, from the slot's template."""
    return _render(target.slot.modelfile, slot=target.slot, model=target.model, num_ctx=target.num_ctx)


def environment(settings: Settings) -> dict[str, str]:
    """What Ollama's process is to have in its environment."""
    return {
        "OLLAMA_KEEP_ALIVE": str(settings.keep_alive),
        "OLLAMA_MAX_LOADED_MODELS": str(settings.loaded_models),
    }


def drop_in(settings: Settings) -> str:
    """The drop-in of ``ollama.service``."""
    return _render("templates/ollama-slots.conf.j2", environment=environment(settings))


def warm_up(settings: Settings, needs_gpu: bool) -> dict[str, tuple[str, str]]:
    """The warm-up's files: path to mode and text."""
    values = {
        "settings": settings,
        "needs_gpu": needs_gpu,
        "engine": host_script("engine"),
        "metrics": host_script("metrics"),
        "script": WARM_UP_SCRIPT,
        "restarted": RESTARTED,
    }
    return {
        WARM_UP_SCRIPT: ("755", _render("templates/ollama-warmup.sh.j2", **values)),
        WARM_UP_UNIT: ("644", _render("templates/ollama-warmup.service.j2", **values)),
    }

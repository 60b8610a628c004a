"""Look at the host at hand, and bring a model there that is to be asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pyinfra.api import Host

from ollama_slots.benchmark.asking.fitting import NAME
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.core import names, plan, preflight
from ollama_slots.core.published import Missing, Tensors
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Pull
from ollama_slots.facts import ModelDetails
from ollama_slots.run import errors, executor
from ollama_slots.run.gather import ask
from ollama_slots.run.session import UNREADABLE, fact, read


def look(settings: Settings, models: Collection[str]) -> Snapshot:
    """Look at a host, with the details of these models. Raises BenchmarkError where it cannot be read."""
    observed = read(settings)
    if observed is None or observed.lacks or observed.listed is None or observed.runners is None:
        why = UNREADABLE if observed is None else observed.lacks or f"Ollama does not answer{observed.where}"
        raise BenchmarkError(why)
    asked = list(names.spellings([*plan.questions(settings, observed), *models]).values())
    details = fact(ModelDetails, unit=observed.unit, url=observed.url, models=asked)
    if details is None:
        raise BenchmarkError(UNREADABLE)
    return Snapshot(settings, observed.model_copy(update={"details": details})).with_details(details)


def bring(host: Host, settings: Settings, model: str) -> Snapshot:
    """Return a host that has a model: it is pulled where it is not there, as a deploy would pull it.

    What was brought so, a prune takes away again.

    Raises BenchmarkError where it cannot be.
    """
    found, key = look(settings, [model]), names.parse(model).key
    if found.detailed.weights(model):
        return found
    answers = ask(settings, [model], shape=False)
    if isinstance(answers[key], Missing | Tensors):
        missing = isinstance(answers[key], Missing)
        what = "no such model" if missing else "safetensors (for MLX)"
        fill = preflight.FILL if missing and settings.model_registry else ""
        raise BenchmarkError(
            f"{model}: expected a GGUF in {settings.registry}, found {what}: {fill}correct its name"
        )
    found = replace(found, answers=answers)
    if why := preflight.no_disk(found, [model]):
        raise BenchmarkError(f"{model}: {why}")
    observed = found.observed
    ours, damaged = observed.digest(model) is None or observed.brought(model), found.detailed.damaged.get(key, ())
    step = Pull(model, (NAME,), found.bytes_to_pull([model]), ours, damaged)
    host.log(f"{step}")
    if not executor.perform(host.state, host, settings, [executor.script(step, settings, observed)]):
        raise BenchmarkError(f"{model}: could not be pulled: {errors.reason(host.state, host)}")
    found = look(settings, [model])
    if not found.detailed.weights(model):
        raise BenchmarkError(
            f"{model}: expected it on the host after its pull, found none: see the messages above"
        )
    return found

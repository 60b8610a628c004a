"""Have a candidate on a host, a model that is no slot's, to be asked as a slot would be that had it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyinfra import logger
from pyinfra.api import Host
from pyinfra.api.exceptions import FactProcessError

from ollama_slots import facts
from ollama_slots.benchmark.asking import hosts
from ollama_slots.benchmark.asking.ask import Send, Slot
from ollama_slots.benchmark.asking.fitting import NAME, Fit, fitted
from ollama_slots.benchmark.asking.request import Request, Way
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.core import plan
from ollama_slots.core.gpu_memory import most_loaded
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.host import calls, output, render, scripts
from ollama_slots.host.questions import Reply

STAY = "10m"  # in memory after an answer: what a run that was killed has left goes by itself
LOOK_AGAIN_SECONDS = 1


@contextmanager
def candidate(host: Host, settings: Settings, model: str, number: int) -> Iterator[tuple[Slot, Send]]:
    """Make a model a candidate for a slot, with its window, system prompt and parameters, until it is closed.

    It is loaded when it is asked first, and each time when something else took its place, where that evicts
    nothing. On a host of the group ``benchmark`` slots make way for it where it does not fit beside them: each
    command that asks it unloads them first, and loads and proves them again at its end.
    In the end its name is gone, and so is what it had in memory.

    + model: a base, which is on the host
    + number: the slot's

    Raises BenchmarkError with one line where it cannot be one, or cannot be taken away again.
    """
    observed = _look(host, settings, model)
    fit = fitted(settings, observed, model, number, spare=hosts.GROUP in host.groups)
    if fit.makes_way:
        logger.info(f"    [{host.name}] candidate {model}: slots make way for it, until each block is answered")
    url, text = observed.url or "", render.modelfile(fit.target)
    variant = _made(host, settings, calls.candidate("make", settings, url, NAME, text), model)
    slot = Slot(NAME, variant, fit.weights, fit.target.model)
    try:
        yield slot, sender(host, settings, observed, slot, fit)
    except BaseException:
        _removed(host, settings, url)  # why it could not be matters less
        raise
    if why := _removed(host, settings, url):
        raise BenchmarkError(f"candidate {model}: could not be taken away: {why}; the next run does that first")


def sender(host: Host, settings: Settings, observed: Observed, slot: Slot, fit: Fit) -> Send:
    """Return what sends requests to a candidate. Only these have a keep_alive.

    Each reply says how long the last load took, whenever that was.
    """
    trial = calls.Trial(
        model=fit.target.model,
        candidate=NAME,
        variant=slot.variant,
        blob=fit.weights,
        context=fit.context,
        whole=fit.whole,
        needs="" if fit.needs is None else fit.needs,
        most=most_loaded(observed),
        stay=json.dumps(STAY),
        makes_way=fit.makes_way,
    )
    gpu = needs_gpu(settings, observed)

    def script(requests: Sequence[Request]) -> scripts.Script:
        staying = [
            it if it.way is Way.SHOW else it._replace(body={**it.body, "keep_alive": STAY}) for it in requests
        ]
        if any(it.body.get("model") != f"{NAME}:latest" for it in requests):
            raise BenchmarkError(f"candidate {fit.target.model}: expected requests to {NAME}, found others")
        return calls.trial(settings, observed.url or "", trial, gpu, hosts.asking(host, staying))

    send, took = hosts.sending(host, settings, script), 0.0

    def remembering(requests: Sequence[Request]) -> tuple[list[Reply], str]:
        nonlocal took
        replies, why = send(requests)
        took = next((it.loaded for it in reversed(replies) if it.loaded), took)
        return [it._replace(loaded=took) for it in replies], why

    return remembering


def _look(host: Host, settings: Settings, model: str) -> Observed:
    """Look at a host, with all that is to be known of a candidate. Waits, bounded, for whoever changes it."""
    bound = settings.lock_seconds
    end = time.monotonic() + bound
    asked = (*plan.beforehand(settings), model, f"{NAME}:latest")
    while True:
        observed = _observed(host, settings, asked)
        held = tuple(dict.fromkeys([*asked, *plan.questions(settings, observed)]))
        if observed.changing is None and held != asked and observed.listed is not None:
            observed = _observed(host, settings, held)  # what is in memory may be another one's
        if observed.changing is None:
            break
        if time.monotonic() > end:
            raise BenchmarkError(f"waited {bound} s for {observed.changing}; try again when it is done")
        time.sleep(LOOK_AGAIN_SECONDS)
    if observed.lacks or observed.listed is None or observed.runners is None:
        raise BenchmarkError(observed.lacks or f"Ollama does not answer{observed.where}")
    return observed


def _observed(host: Host, settings: Settings, models: tuple[str, ...]) -> Observed:
    out, err = hosts.run(host, settings, calls.probe(settings, "yes", models))
    try:
        return facts.observed(settings.ollama_unit, models, out)
    except FactProcessError as error:
        raise BenchmarkError(hosts.reason(err) if err else f"{error}") from None


def _made(host: Host, settings: Settings, script: scripts.Script, model: str) -> str:
    """Make it; return the digest of its manifest."""
    verb, said = _said(host, settings, script)
    if verb != "made":
        raise BenchmarkError(f"candidate {model}: could not be made: {said}")
    return said


def _removed(host: Host, settings: Settings, url: str) -> str | None:
    """Take it away; return why it could not be, or None."""
    verb, said = _said(host, settings, calls.candidate("remove", settings, url, NAME))
    return None if verb == "gone" else said


def _said(host: Host, settings: Settings, script: scripts.Script) -> tuple[str, str]:
    """Return the word with which a script's line begins, where it is one of success, and the rest or all of it."""
    out, err = hosts.run(host, settings, script)
    try:
        line = output.own(out)[0]
    except ValueError:
        return "", hosts.reason(err)
    verb, _, rest = line.partition(" ")
    return (verb, rest) if verb in {"made", "gone"} else ("", line or hosts.reason(err))

"""Tell whether a model can be a candidate on a host, and how it would be loaded there. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.core import names, plan
from ollama_slots.core.gpu_memory import guess, unfit
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import needs_gpu, residency, weights_by_digest
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.targets import Target, context, lies

NAME = names.CANDIDATE


class Fit(NamedTuple):
    """A candidate for a slot, as a host would load it.

    + weights: the sha256 of its blob
    + context: its window, in tokens
    + whole: it has to be wholly in GPU memory
    + needs: the bytes of GPU memory that have to be free before; nothing: they are not looked at
    + makes_way: slots are unloaded before, and loaded again after each command
    """

    target: Target
    weights: str
    context: int
    whole: bool
    needs: int | None
    makes_way: bool


def fitted(settings: Settings, observed: Observed, model: str, number: int, spare: bool = False) -> Fit:
    """Return how a model would be loaded beside all that a host holds.

    + observed: with the details of the model, and of what is in memory
    + spare: slots may make way for it, where it does not fit beside them

    Raises BenchmarkError where it is not there, is a slot's or somebody else's already, or does not fit.
    """
    slot = next((it for it in settings.slots if it.number == number), None)
    found = _without(observed)
    snapshot, entry, details = Snapshot(settings, found, found.details), found.entry(model), found.details
    weights = details.weights(model) if details else None
    wrong = ""
    if slot is None:
        wrong = f"expected the number of a slot, found {number}: declare slot{number}_name"
    elif entry is None or details is None or weights is None:
        wrong = "expected it on the host, found no such model: pull it first"
    elif NAME in {it.lower() for it in plan.ours(settings, observed)}:
        wrong = f"expected no slot of the name {NAME}, found one: give it another"
    elif shares := [name for name, it in found.states.items() if it.weights == weights]:
        wrong = f"expected weights that no slot has, found slot {shares[0]} on them: ask that"
    elif details.shown[names.parse(model).key].embeds:
        wrong = "expected a model that makes text, found an embedding model: leave it out"
    elif any(weights_by_digest(found, details).get(it.digest) == weights for it in found.runners or ()):
        wrong = "expected that nobody has it in memory, found that somebody has: unload it first"
    else:
        target = Target(slot, entry.name, slot.num_ctx)
        tokens, whole = context(target, details), lies(target, details.shown[names.parse(model).key]) != "no"
        said, beside = slot.runner, "beside what is in memory"
        why = unfit(snapshot, entry.name, tokens, whole, said=said)
        makes_way = bool(why) and spare
        if makes_way:
            slots = [it for name in found.states if (it := residency(name, found, details))]
            why = unfit(snapshot, entry.name, tokens, whole, slots, said)
            beside = "where all slots make way for it"
        if why is None:
            looks = whole and found.gpus and found.runners
            needed = guess(snapshot, entry.name, tokens, said) if looks else None
            return Fit(target, weights, tokens, whole and needs_gpu(settings, found), needed, makes_way)
        wrong = f"does not fit {beside}: {why}"
    raise BenchmarkError(f"candidate {model}: {wrong}")


def _without(observed: Observed) -> Observed:
    """Return a host without the candidate that a run which was killed has left in memory: it is unloaded first."""
    left = observed.digests(f"{NAME}:latest")
    runners = None if observed.runners is None else tuple(it for it in observed.runners if it.digest not in left)
    return observed.model_copy(update={"runners": runners})

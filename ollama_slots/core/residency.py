"""Judge whether a slot is resident as declared. Pure. Its twin on the host is host/residency.sh."""

from __future__ import annotations

from ollama_slots.core import names
from ollama_slots.core.details import Details
from ollama_slots.core.observed import Observed, Runner, SlotState
from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import Target, targets

EXPIRES = "expires at"


def needs_gpu(settings: Settings, observed: Observed) -> bool:
    """Return whether slots must be wholly in GPU memory on this host."""
    return observed.has_gpu if settings.require_gpu == "auto" else settings.require_gpu


def no_gpu(settings: Settings, observed: Observed) -> str | None:
    """Return why no slot can be in GPU memory though it must be, or None: Ollama found no GPU when it started."""
    if observed.gpus != () or observed.blind or not needs_gpu(settings, observed):
        return None
    by = "as at the last deploy" if settings.require_gpu == "auto" else "for require_gpu = True"
    shown = f", though nvidia-smi shows {observed.cards}" if observed.cards else ""
    return (
        f"GPU: expected one, {by}, found none when Ollama was started{shown}: repair its driver and "
        "restart Ollama, or set require_gpu = False"
    )


def weights_by_digest(observed: Observed, details: Details | None = None) -> dict[str, str]:
    """Return the known weights by manifest digest, which outlives any name."""
    known = {
        digest: state.weights
        for state in (*observed.previous.values(), *observed.states.values())
        for digest in (state.variant, state.base, state.loaded)
    }
    for listed in (observed.listed or {}).values():
        weights = details.weights(listed.name) if details else None
        if weights:
            known |= dict.fromkeys(listed.digests | {listed.digest}, weights)
    return known


def residency(name: str, observed: Observed, details: Details | None = None) -> Runner | None:
    """Return the runner that serves a slot, found by its weights, whichever name loaded it."""
    state = observed.states.get(name)
    if state is None or state.variant not in observed.digests(name):
        return None  # what the state says of the weights does not hold for what has the name now
    known, weights = weights_by_digest(observed, details), _weights(name, state, details)
    own = observed.digests(name)
    return next((it for it in observed.runners or () if it.digest in own or known.get(it.digest) in weights), None)


def _weights(name: str, state: SlotState, details: Details | None) -> set[str | None]:
    """Return the weights that a slot may run on: those of its state, and what Ollama converted them to (0.40)."""
    return {state.weights, (details.weights(name) if details else None) or state.weights}


def fault(
    target: Target, observed: Observed, needs_gpu: bool, for_ever: bool = False, details: Details | None = None
) -> str | None:
    """Return why a slot is not resident as declared, in words, or None.

    + needs_gpu: it must be wholly in GPU memory
    + for_ever: it must not expire; a client's own keep_alive may have seen to that it does
    """
    return misheld(target, observed) or _unheld(target, observed, needs_gpu, for_ever, details)


def misheld(target: Target, observed: Observed) -> str | None:
    """Return why a slot's name is not the variant of its declared model, in words, or None.

    Where it is not, nothing can be said of its runner.
    """
    name, state = target.slot.name, observed.states.get(target.slot.name)
    if observed.listed is None or observed.runners is None:
        return "Ollama does not answer"
    if state is None:
        return "its state is lost" if observed.digest(name) else "not made yet"
    if not names.same(state.model, target.model):
        return f"holds {state.model}, not {target.model}"
    if state.variant not in observed.digests(name):
        return f"{name} is not the variant that was made" if observed.digest(name) else f"{name} is gone"
    return None


def _unheld(
    target: Target, observed: Observed, needs_gpu: bool, for_ever: bool, details: Details | None
) -> str | None:
    state, runner = observed.states[target.slot.name], residency(target.slot.name, observed, details)
    if runner is None:
        return "not in memory"
    # Where sharing with different windows is allowed, the one that was asked last has its own.
    sharers = [
        it for it in observed.states.values() if it.weights == state.weights
    ]  # one of them is the slot's own
    windows = {it.context for it in sharers}
    if runner.context_length not in windows:
        return f"context window of {runner.context_length} tokens, not {' or '.join(map(str, sorted(windows)))}"
    if not any(observed.lives(it or "", runner.digest) for it in _weights(target.slot.name, state, details)):
        return "its runner has ended"
    if for_ever and not runner.for_ever:
        return f"{EXPIRES} {runner.expires_at}"
    if needs_gpu and not any(it.gpu for it in sharers) and runner.size_vram != runner.size:
        return f"only {runner.size_vram} of its {runner.size} bytes in GPU memory"
    return None


def faults(
    settings: Settings, observed: Observed, details: Details | None = None
) -> list[tuple[Target, str | None]]:
    """Return each slot that is to hold a model on this host, with what is wrong with it."""
    gpu = needs_gpu(settings, observed)
    return [(it, fault(it, observed, gpu, settings.stays, details)) for it in targets(settings, observed)]


def doubtful(settings: Settings, observed: Observed) -> bool:
    """Return whether the details are needed to judge: another name's runner may hold a slot's very weights."""
    return bool(observed.runners) and any(why for _, why in faults(settings, observed))

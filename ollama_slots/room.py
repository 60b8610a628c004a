"""Whether all slots of a host fit into its GPU memory together. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace

from ollama_slots import names
from ollama_slots.found import Details, Found
from ollama_slots.memory import USABLE, held, parallel, predicted
from ollama_slots.residency import weights_by_digest
from ollama_slots.settings import Settings
from ollama_slots.targets import Target, aligned, context, known_weights

GB, GIB = 10**9, 2**30
WINDOW_STEP = 256  # tokens: windows that are proposed are multiples of it


@dataclass(frozen=True)
class Need:
    """A runner as it will be: one for all slots with the same weights."""

    slots: tuple[Target, ...]
    held: int  # bytes of GPU memory, at the most
    predicted: int  # bytes that the engine looks for beside what is loaded


def needs(settings: Settings, declared: list[Target], found: Found, details: Details) -> list[Need]:
    """What the slots need of GPU memory, the largest first; slots whose model is unknown are left out.

    + declared: the slots' targets, their windows not aligned yet
    """
    wanted, _ = aligned(settings, declared, known_weights(declared, found, details))
    sharing: dict[str, list[Target]] = defaultdict(list)
    for target in wanted:
        weights = details.weights(target.model)
        if weights:
            sharing[weights].append(target)
    known, requests = weights_by_digest(found, details), parallel(found)
    result = []
    for weights, group in sharing.items():
        key = names.parse(group[0].model).key
        info, size = details.shown[key].model_info, (found.listed or {})[key].size
        window = max(context(target, details) for target in group)
        most = held(info, size, window, requests, details.flash)
        for runner in found.runners or ():
            if known.get(runner.digest) == weights and runner.context_length == window:
                most = runner.size_vram  # it is there: nothing needs to be guessed
        result.append(Need(tuple(group), most, predicted(info, size, window * requests)))
    return sorted(result, key=lambda need: need.held, reverse=True)


def fit(wanted: list[Need], room: int) -> bool:
    """Whether runners stay in memory together, loaded in this order, by the engine's own rule.

    + room: bytes of GPU memory for all of them

    The first is loaded whatever it needs; a later one has the engine end others where it does not fit into a part
    of what is free.
    """
    free = room
    for number, need in enumerate(wanted):
        if need.held > free or (number and need.predicted > USABLE * free):
            return False
        free -= need.held
    return True


def gpu_memory(settings: Settings, found: Found, details: Details) -> int | None:
    """Bytes of GPU memory for the slots: what is free, and what Ollama holds now. None is unknown."""
    if settings.gpu_memory_gib is not None:
        return int(settings.gpu_memory_gib * GIB)
    if details.gpu_free is None or details.gpu_total is None:
        return None
    return min(details.gpu_total, details.gpu_free + sum(it.size_vram for it in found.runners or ()))


def largest_windows(
    settings: Settings, declared: list[Target], found: Found, details: Details, room: int
) -> str | None:
    """The largest windows with which the slots would fit, the larger ones made smaller first, as data; or None."""

    def capped(steps: int) -> list[Need]:
        smaller = [replace(it, num_ctx=min(it.num_ctx, steps * WINDOW_STEP)) for it in declared]
        return needs(settings, smaller, found, details)

    most = max(it.num_ctx for it in declared) // WINDOW_STEP
    steps = bisect_left(range(1, most + 1), True, key=lambda steps: not fit(capped(steps), room))
    if steps == 0:
        return None
    windows = sorted((it.slot.number, it.num_ctx) for need in capped(steps) for it in need.slots)
    return ", ".join(f"slot{number}_num_ctx={tokens}" for number, tokens in windows)

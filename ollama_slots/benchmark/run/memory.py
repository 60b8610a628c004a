"""What GPU memory a host has for slots 1 to 3, and what a model takes of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.run.week import Room
from ollama_slots.core import cards, gpu_memory, names
from ollama_slots.core.placing import Taken
from ollama_slots.core.selection import RULES
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.targets import Target, context

# What a slot's variant says of its runner is not what another slot's would say.
OPEN = {"num_batch": 0, "num_gpu": -1}


def room(snapshot: Snapshot) -> Room:
    """Return what a host has for slots 1 to 3. Raises BenchmarkError where its slots cannot share weights."""
    observed, found = snapshot.observed, cards.room(snapshot)
    gpus = [it.name or it.library for it in observed.gpus or ()]
    try:
        needs = gpu_memory.needs(snapshot)
    except ValueError as error:
        raise BenchmarkError(f"{error}") from None
    others = {
        weights: need.taken
        for need in needs
        if (weights := snapshot.detailed.weights(need.slots[0].model))
        and any(it.slot.number not in RULES for it in need.slots)
    }
    return Room(
        kind=", ".join([*(gpus or ["no GPU"]), f"Ollama {observed.version}"]),
        cards=tuple(found) if found else None,
        rule=gpu_memory.rule(observed),
        others=others,
        windows={it.number: it.num_ctx for it in snapshot.settings.slots if it.number in RULES},
    )


def takes(
    snapshot: Snapshot,
    model: str,
    gpu_bytes: int,
    window: int,
    windows: Mapping[int, Collection[int]],
    said: Mapping[str, int],
) -> dict[int, dict[int, Taken]]:
    """Return what a model takes at windows of slots 1 to 3, by slot and window.

    + gpu_bytes: that its runner held, as was seen, at this window; what it holds at others differs as foreseen
    + windows: that hosts give each slot
    + said: what it was loaded with says of its runner, beside what the model says itself
    """
    key, more = names.parse(model).key, cards.driver_takes(snapshot)
    seen = gpu_memory.takes(snapshot, key, window, said)
    found: dict[int, dict[int, Taken]] = {}
    for slot in snapshot.settings.slots:
        for num_ctx in windows.get(slot.number, ()):
            tokens = context(Target(slot, model, num_ctx), snapshot.detailed)
            foreseen = gpu_memory.takes(snapshot, key, tokens, {**OPEN, **slot.runner} if said else slot.runner)
            held = max(0, gpu_bytes + foreseen.held - seen.held) + more
            found.setdefault(slot.number, {})[num_ctx] = replace(foreseen, held=held, computed=more)
    return found

"""Estimate how much GPU memory models take, and decide whether all slots of a host fit into it together.

There are two figures a model: the engine's own guess, by which it ends other runners, and what it really holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ollama_slots.core import names
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import weights_by_digest
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.targets import Target, context

GB, GIB = 10**9, 2**30
# The engine evicts when its guess exceeds this part of the free memory (server/sched.go, v0.32.15).
USABLE = 0.8
AUTO_RUNNERS_A_GPU = 3  # OLLAMA_MAX_LOADED_MODELS unset or 0 (server/sched.go)
WINDOW_STEP = 256  # tokens: windows that are proposed are multiples of it


class _Shape:
    """The figures of a GGUF's architecture, as /api/show gives them in model_info."""

    def __init__(self, model_info: dict[str, Any]) -> None:
        self.info, self.architecture = model_info, model_info.get("general.architecture")

    def each(self, key: str) -> list[int]:
        value = self.info.get(f"{self.architecture}.{key}")
        return [int(it) for it in value] if isinstance(value, list) and value else [int(value or 0)]

    def one(self, key: str) -> int:
        return max(self.each(key))

    @property
    def heads(self) -> int:
        return self.one("attention.head_count")

    @property
    def key_value_heads(self) -> list[int]:
        """A figure for each block, or one for all of them; a list is left out by /api/show."""
        return [it for it in self.each("attention.head_count_kv") if it] or [self.heads]

    @property
    def a_head(self) -> int:
        return self.each("embedding_length")[0] // self.heads if self.heads else 0


def predicted(model_info: dict[str, Any], file_bytes: int, tokens: int) -> int:
    """Return the bytes that Ollama expects a model to need (predictor of llm/llama_server.go, v0.32.15).

    + model_info: as /api/show gives it
    + file_bytes: size of the weights
    + tokens: window x parallel requests
    """
    shape = _Shape(model_info)
    cache = 2 * shape.each("block_count")[0] * min(shape.key_value_heads) * shape.a_head * tokens * 2
    return file_bytes + cache


def held(model_info: dict[str, Any], file_bytes: int, tokens: int, parallel: int, flash: bool) -> int:
    """Return the bytes that a loaded model holds at most: what /api/ps shows, or somewhat less.

    + model_info, file_bytes: as in ``predicted``
    + tokens: the window
    + parallel: OLLAMA_NUM_PARALLEL
    + flash: the GPU can do flash attention; else the scores of a whole batch lie in memory

    Read off llama-server b10488's log: weights, a cache of two bytes a value (sliding windows, which would make it
    smaller, left aside), and what a batch is computed in.
    """
    shape = _Shape(model_info)
    values = [shape.one(f"attention.{it}_length") or shape.a_head for it in ("key", "value")]
    cache = 2 * shape.one("block_count") * max(shape.key_value_heads) * sum(values) * tokens * parallel
    # The engine's batches grow with the window where there is flash attention (server/sched.go).
    batch = 512 if not flash or tokens * parallel <= 4096 else 1024 if tokens * parallel <= 32768 else 2048
    mask_and_scores = tokens * (1 if flash else 1 + shape.heads)
    activations = 4 * shape.one("feed_forward_length") + 8 * shape.one("embedding_length")
    return file_bytes + cache + 4 * batch * (mask_and_scores + activations)


@dataclass(frozen=True)
class Need:
    """A runner as it will be: one for all slots with the same weights."""

    slots: tuple[Target, ...]
    held: int  # bytes of GPU memory, at the most
    predicted: int  # bytes that the engine looks for beside what is loaded


def fits(snapshot: Snapshot, model: str, tokens: int) -> bool:
    """Return whether Ollama would load a model with a window of so many tokens without evicting another one.

    Where the GPU memory is unknown the answer is yes: the engine does not check it on a host without a GPU, and
    what a load evicted all the same is seen by the proof, and warmed again.
    """
    observed = snapshot.observed
    runners = observed.runners or ()
    allowed = (observed.environ or {}).get("OLLAMA_MAX_LOADED_MODELS", "0")
    limit = int(allowed) if allowed.isdigit() and int(allowed) else AUTO_RUNNERS_A_GPU
    if len(runners) >= limit:
        return False
    free = snapshot.detailed.gpu_free
    if snapshot.settings.gpu_memory_gib is not None:
        free = int(snapshot.settings.gpu_memory_gib * GIB) - sum(runner.size_vram for runner in runners)
    if free is None:
        return True
    key = names.parse(model).key
    listed, shown = (observed.listed or {})[key], snapshot.detailed.shown[key]
    return predicted(shown.model_info, listed.size, tokens * parallel(observed)) <= USABLE * free


def parallel(observed: Observed) -> int:
    """Return how many requests a runner takes at once: each has a cache of its own."""
    said = (observed.environ or {}).get("OLLAMA_NUM_PARALLEL", "1")
    return int(said) if said.isdigit() and int(said) else 1


def needs(snapshot: Snapshot) -> list[Need]:
    """Return the GPU memory that each runner needs, the largest first; unknown models are left out."""
    observed, details = snapshot.observed, snapshot.detailed
    sharing: dict[str, list[Target]] = defaultdict(list)
    for target in snapshot.wanted:
        weights = details.weights(target.model)
        if weights:
            sharing[weights].append(target)
    known, requests = weights_by_digest(observed, details), parallel(observed)
    result = []
    for weights, group in sharing.items():
        key = names.parse(group[0].model).key
        info, size = details.shown[key].model_info, (observed.listed or {})[key].size
        window = max(context(target, details) for target in group)
        most = held(info, size, window, requests, details.flash)
        for runner in observed.runners or ():
            if known.get(runner.digest) == weights and runner.context_length == window:
                most = runner.size_vram  # it is there: nothing needs to be guessed
        result.append(Need(tuple(group), most, predicted(info, size, window * requests)))
    return sorted(result, key=lambda need: need.held, reverse=True)


def fit(wanted: list[Need], room: int) -> bool:
    """Return whether runners stay in memory together, loaded in this order, by Ollama's own rule.

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


def room(snapshot: Snapshot) -> int | None:
    """Return the GPU memory for the slots, in bytes: what is free, and what Ollama holds now. None is unknown."""
    if snapshot.settings.gpu_memory_gib is not None:
        return int(snapshot.settings.gpu_memory_gib * GIB)
    details = snapshot.detailed
    if details.gpu_free is None or details.gpu_total is None:
        return None
    return min(details.gpu_total, details.gpu_free + sum(it.size_vram for it in snapshot.observed.runners or ()))


def largest_windows(snapshot: Snapshot, room: int) -> str | None:
    """Return the largest windows with which the slots would fit, larger ones reduced first, as data; or None."""

    def capped(steps: int) -> list[Need]:
        return needs(snapshot.with_windows(steps * WINDOW_STEP))

    most = max(it.num_ctx for it in snapshot.declared) // WINDOW_STEP
    steps = bisect_left(range(1, most + 1), True, key=lambda steps: not fit(capped(steps), room))
    if steps == 0:
        return None
    windows = sorted((it.slot.number, it.num_ctx) for need in capped(steps) for it in need.slots)
    return ", ".join(f"slot{number}_num_ctx={tokens}" for number, tokens in windows)

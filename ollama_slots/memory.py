"""How much GPU memory models take: the engine's own guess, by which it evicts, and what they really hold. Pure."""

from __future__ import annotations

from typing import Any

from ollama_slots import names
from ollama_slots.found import Details, Found
from ollama_slots.settings import Settings

# The engine evicts when its guess exceeds this part of the free memory (server/sched.go, v0.32.15).
USABLE = 0.8
AUTO_RUNNERS_A_GPU = 3  # OLLAMA_MAX_LOADED_MODELS unset or 0 (server/sched.go)


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
    """The bytes that the engine expects a model to need (predictor of llm/llama_server.go, v0.32.15).

    + model_info: as /api/show gives it
    + file_bytes: size of the weights
    + tokens: window x parallel requests
    """
    shape = _Shape(model_info)
    cache = 2 * shape.each("block_count")[0] * min(shape.key_value_heads) * shape.a_head * tokens * 2
    return file_bytes + cache


def held(model_info: dict[str, Any], file_bytes: int, tokens: int, parallel: int, flash: bool) -> int:
    """The bytes that a model holds at the most once it is loaded: what /api/ps shows, or somewhat less.

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


def fits(settings: Settings, model: str, tokens: int, found: Found, details: Details) -> bool:
    """Whether the engine would load a model without evicting another one.

    Where the GPU memory is unknown the answer is yes: the engine does not check it on a host without a GPU, and
    what a load evicted all the same is seen by the proof, and warmed again.
    """
    runners = found.runners or ()
    allowed = (found.environ or {}).get("OLLAMA_MAX_LOADED_MODELS", "0")
    limit = int(allowed) if allowed.isdigit() and int(allowed) else AUTO_RUNNERS_A_GPU
    if len(runners) >= limit:
        return False
    free = details.gpu_free
    if settings.gpu_memory_gib is not None:
        free = int(settings.gpu_memory_gib * 2**30) - sum(runner.size_vram for runner in runners)
    if free is None:
        return True
    key = names.parse(model).key
    listed, shown = (found.listed or {})[key], details.shown[key]
    return predicted(shown.model_info, listed.size, tokens * parallel(found)) <= USABLE * free


def parallel(found: Found) -> int:
    """How many requests a runner takes at once: each has a cache of its own."""
    said = (found.environ or {}).get("OLLAMA_NUM_PARALLEL", "1")
    return int(said) if said.isdigit() and int(said) else 1

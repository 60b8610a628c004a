"""Whether a model fits beside what is loaded, by the engine's own arithmetic. Pure."""

from __future__ import annotations

from typing import Any

from ollama_slots import names
from ollama_slots.found import Details, Found
from ollama_slots.settings import Settings

# The engine evicts when its prediction exceeds this part of the free memory (server/sched.go, v0.32.15).
USABLE = 0.8
AUTO_RUNNERS_A_GPU = 3  # OLLAMA_MAX_LOADED_MODELS unset or 0 (server/sched.go)


def predicted(model_info: dict[str, Any], file_bytes: int, tokens: int) -> int:
    """The bytes that the engine expects a model to need (predictor of llm/llama_server.go, v0.32.15).

    + model_info: as /api/show gives it
    + file_bytes: size of the weights
    + tokens: window x parallel requests
    """
    architecture = model_info.get("general.architecture")

    def figure(key: str) -> list[int]:
        value = model_info.get(f"{architecture}.{key}")
        return [int(it) for it in value] if isinstance(value, list) and value else [int(value or 0)]

    heads = max(figure("attention.head_count"))
    key_value_heads = [it for it in figure("attention.head_count_kv") if it] or [heads]
    per_head = figure("embedding_length")[0] // heads if heads else 0
    cache = 2 * figure("block_count")[0] * min(key_value_heads) * per_head * tokens * 2
    return file_bytes + cache


def fits(settings: Settings, model: str, tokens: int, found: Found, details: Details) -> bool:
    """Whether the engine would load a model without evicting another one.

    Where the GPU memory is unknown the answer is yes: the engine does not check it on a host without a GPU, and
    what a load evicted all the same is seen by the proof, and warmed again.
    """
    environ, runners = found.environ or {}, found.runners or ()
    allowed = environ.get("OLLAMA_MAX_LOADED_MODELS", "0")
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
    parallel = environ.get("OLLAMA_NUM_PARALLEL", "1")
    slots = int(parallel) if parallel.isdigit() and int(parallel) else 1
    return predicted(shown.model_info, listed.size, tokens * slots) <= USABLE * free

"""Tell whether an Ollama loads a model with flash attention where its owner has not said so.

From 0.30 on it does on each GPU that can (llm/llama_server.go, v0.34.4). Before, it depends on which of its two
engines runs the model (llm/server.go and fs/ggml/ggml.go, v0.10.1 to v0.24.0).
"""

from __future__ import annotations

from typing import NamedTuple

from ollama_slots.core import versions

# The first version of whose models each is one that has it by name, with a cache that may be quantised.
NAMED = {
    "gptoss": (0, 12),
    "gpt-oss": (0, 12),
    "gemma3": (0, 13),
    "qwen3": (0, 13),
    "qwen3moe": (0, 13),
    "qwen3vl": (0, 13),
    "qwen3vlmoe": (0, 13),
}
AUTO = (0, 14)  # the first of which llama.cpp decides, by the GPU, but its cache is not quantised
# Which are not llama.cpp's then, and not among those that have it by name.
NOT_AUTO = {"deepseek2", "deepseekocr", "gemma3n", "laguna", "llama4", "mllama", "nomic-bert", "qwen25vl"}


class Flash(NamedTuple):
    """How a model is loaded.

    + on: with flash attention
    + quantised: with a cache of the type of OLLAMA_KV_CACHE_TYPE; else of f16
    """

    on: bool
    quantised: bool


def by_default(version: str | None, architecture: str) -> Flash:
    """Return how a model is loaded on a GPU that can, unless OLLAMA_FLASH_ATTENTION is set."""
    since = NAMED.get(architecture, versions.GUESSES)
    if versions.guesses(version) or versions.at_least(version, since):
        return Flash(on=True, quantised=True)
    return Flash(on=versions.at_least(version, AUTO) and architecture not in NOT_AUTO, quantised=False)

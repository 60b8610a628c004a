"""Tell what kind a slot is of: how Ollama is asked for it, and whether it is to lie wholly in GPU memory."""

from __future__ import annotations

import re
from typing import Any, Literal

Asks = Literal["", "embed"]
Lies = Literal["", "no"]

# An instruction of a Modelfile with its value: what stands between quotes is one value, however many lines it has.
_INSTRUCTION = re.compile(
    r'^[ \t]*([a-z]+)[ \t]+((?:[a-z_]+[ \t]+)?(?:"""(?:.*?)"""|"(?!"")[^"]*"|[^"\n][^\n]*))',
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)


def num_gpu(modelfile: str) -> int | None:
    """Return how many layers a Modelfile wants in GPU memory; None: it leaves that to its base or to Ollama."""
    return _number("num_gpu", modelfile)


def main_gpu(modelfile: str) -> int | None:
    """Return the number of the card that a Modelfile wants its model on; None where it leaves that open."""
    return _number("main_gpu", modelfile)


def _number(parameter: str, modelfile: str) -> int | None:
    """Return the value of a parameter. Of several the first counts (FormatParams in api/types.go, v0.34.4)."""
    for keyword, rest in _INSTRUCTION.findall(modelfile):
        value = re.fullmatch(rf'{parameter}\s+"*(-?[0-9]{{1,9}})"*\s*', rest, re.IGNORECASE)
        if keyword.lower() == "parameter" and value:
            return int(value[1])
    return None


def wholly_in_gpu(declared: int | None, own: int | None, blocks: int | None) -> bool:
    """Return whether a model is to lie wholly in GPU memory, where its host asks for that.

    + declared: its Modelfile's num_gpu; own: that of its base; None: not said
    + blocks: of its architecture; None is unknown

    It is not where fewer layers are wanted there than it has: its blocks, and one for the output (server/sched.go,
    v0.34.4). Less than 0 leaves the number to Ollama.
    """
    wanted = own if declared is None else declared
    if wanted is None or wanted < 0:
        return True
    return blocks is not None and wanted > blocks


def embeds(capabilities: list[str], model_info: dict[str, Any]) -> bool:
    """Return whether a model makes embeddings, and no text.

    By Ollama's own rule (server/images.go, v0.16.2 to v0.34.4) those do whose GGUF says how its output is pooled.
    What a name can do may be out of date there, and then is nothing; the figures are read anew each time.
    """
    if "completion" in capabilities:
        return False
    return "embedding" in capabilities or f"{model_info.get('general.architecture')}.pooling_type" in model_info

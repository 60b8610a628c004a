"""Tell what kind a slot is of: how Ollama is asked for it, and whether it is to lie wholly in GPU memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Asks = Literal["", "embed"]
Lies = Literal["", "no"]

# An instruction of a Modelfile with its value: what stands between quotes is one value, however many lines it has.
_INSTRUCTION = re.compile(
    r'^[ \t]*([a-z]+)[ \t]+((?:[a-z_]+[ \t]+)?(?:"""(?:.*?)"""|"(?!"")[^"]*"|[^"\n][^\n]*))',
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
# Requests that differ in one of them do not share a runner: each loads the model again (Runner in api/types.go,
# needsReload in server/sched.go, v0.34.4).
_OF_RUNNER = re.compile(
    r'(num_batch|num_gpu|main_gpu|num_thread|use_mmap|draft_num_predict)\s+"*(-?[0-9]{1,9}|true|false)"*\s*',
    re.IGNORECASE,
)


def of_runner(modelfile: str) -> dict[str, int]:
    """Return what a Modelfile says of its runner, beside the window; the rest is its base's or Ollama's to say.

    Of several the first counts (FormatParams in api/types.go, v0.34.4).
    """
    said: dict[str, int] = {}
    for keyword, rest in _INSTRUCTION.findall(modelfile):
        if keyword.lower() == "parameter" and (it := _OF_RUNNER.fullmatch(rest)):
            said.setdefault(it[1].lower(), _whole(it[2]))
    return said


def of_base(parameters: str) -> dict[str, int]:
    """Return what a model itself says of its runner. + parameters: a line each, as /api/show gives them"""
    said = (_OF_RUNNER.fullmatch(line) for line in parameters.splitlines())
    return {it[1]: _whole(it[2]) for it in said if it}


def _whole(value: str) -> int:
    return int({"true": "1", "false": "0"}.get(value.lower(), value))


def unlike(runners: Sequence[Mapping[str, int]]) -> list[str]:
    """Return that in which variants of the same weights differ, so that each ends the other's runner.

    + runners: what each says of its runner

    One that leaves num_gpu open takes any. No num_thread is 0.
    """
    runners = [{name: it for name, it in one.items() if (name, it) != ("num_thread", 0)} for one in runners]
    differ = {name for one in runners for name in one if len({it.get(name) for it in runners}) > 1} - {"num_gpu"}
    layers = {it["num_gpu"] for it in runners if it.get("num_gpu", -1) >= 0}
    return sorted(differ | ({"num_gpu"} if len(layers) > 1 else set()))


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

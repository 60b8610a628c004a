"""Check parameters of a Modelfile as Ollama takes them (api/types.go, parser/parser.go; v0.10.0 to v0.34.4)."""

from __future__ import annotations

import re

from ollama_slots.core.errors import shown
from ollama_slots.core.misspelt import meant

WHOLE = {"num_keep", "seed", "num_predict", "top_k", "repeat_last_n", "num_batch", "num_gpu", "main_gpu"}
WHOLE |= {"num_thread", "draft_num_predict"}
NUMBERS = {"top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty"}
DROPPED = {"penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock"}
DROPPED |= {"mirostat", "mirostat_tau", "mirostat_eta"}
KNOWN = tuple(sorted({*WHOLE, *NUMBERS, *DROPPED, "use_mmap", "stop", "num_ctx"}))


def wrong(name: str, value: object) -> str | None:
    """Return what is wrong with a parameter, in words, or None.

    Ollama refuses what it cannot read only when a variant is made, and says of what it has dropped nothing that
    anybody sees. A name that is not known here may be of a later Ollama, unless it is nearly one that is.
    """
    if name == "num_ctx":
        return "num_ctx is set by slotN_num_ctx"
    if name in DROPPED:
        return f"expected one that Ollama takes, found {name}, which it has dropped: leave it out"
    if name not in KNOWN:
        near = meant(name, KNOWN, ())
        return f"expected {near}, found {name}: correct it" if near else None
    if name == "stop":
        fits, expected = (
            isinstance(value, str) or (isinstance(value, list) and value != []),
            "text, or a list of it",
        )
    elif name in WHOLE:
        fits, expected = _is(value, int, r"[-+]?[0-9]{1,18}"), "a whole number"
    elif name in NUMBERS:
        fits, expected = _is(value, (int, float), r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"), "a number"
    else:
        fits, expected = value in (True, False, "true", "false"), "true or false"
    return None if fits else f"{name}: expected {expected}, found {shown(value)}"


def _is(value: object, kind: type | tuple[type, ...], written: str) -> bool:
    """Return whether a value is of a kind, or a text that Ollama reads as such."""
    if isinstance(value, str):
        return re.fullmatch(written, value) is not None
    return isinstance(value, kind) and not isinstance(value, bool)

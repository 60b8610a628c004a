"""Read an answer of Ollama's, and write it as it is kept. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ollama_slots.benchmark.asking.request import digest
from ollama_slots.benchmark.items.item import Answer, Item
from ollama_slots.host.questions import Reply

OUT_OF_TIME = 28  # curl's exit code
# The error that the engine answers with in place of what repeats itself (llm/llama_server.go, v0.34.4): it is the
# model's answer, and as wrong as any. v0.32.15 ends such an answer without an error, and without "done".
REPEATS = "token repeat limit"
IMPOSSIBLE = 1e9  # less likely than any log-probability says
COUNTS = ("prompt_eval_count", "eval_count")
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


class Answered(BaseModel):
    """What came of an item, as it is kept.

    + item, asked: its id, and a digest of what it asks
    + variant: the manifest digest of the model that was asked
    + cut: by the number of tokens, or by the engine, which ends an answer that repeats itself
    + error: why there is no answer
    + first: the likeliest first tokens, each with its log-probability
    + figures: tokens and nanoseconds, as Ollama counts them
    + seconds: to the first byte and to the last, as curl counts them on the host
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    asked: str
    variant: str
    text: str = ""
    thought: str = ""
    first: dict[str, float] = {}
    cut: Literal["", "length", "engine"] = ""
    error: str = ""
    figures: dict[str, int] = {}
    seconds: tuple[float, float] = (0, 0)

    @property
    def answer(self) -> Answer:
        """As a grader has it."""
        return Answer(self.text, bool(self.cut), self.first)

    @property
    def line(self) -> str:
        """One line of ASCII: the same answer, the same bytes."""
        return json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":")) + "\n"


def answered(item: Item, variant: str, reply: Reply) -> Answered:
    """Return what came of an item, whatever it is."""
    base: dict[str, Any] = {"item": item.id, "asked": digest(item), "variant": variant}
    base["seconds"] = (reply.first, reply.total)
    content = said(reply)
    if isinstance(content, str):
        return Answered(**base, cut="engine") if REPEATS in content else Answered(**base, error=content)
    message = content.get("message")
    text, thought = _texts(message, "content") if isinstance(message, dict) else _texts(content, "response")
    cut = "" if content.get("done_reason") != "length" else "length"
    return Answered(
        **base,
        text=text,
        thought=thought,
        first=_first(content.get("logprobs")),
        cut=cut if content.get("done") is True else "engine",
        figures={it: content[it] for it in (*COUNTS, *DURATIONS) if type(content.get(it)) is int},
    )


def said(reply: Reply) -> dict[str, Any] | str:
    """Return the JSON object that an answer is, or why there is none, in the engine's own words if it has any."""
    if reply.failed:
        found = "none in time" if reply.failed == OUT_OF_TIME else f"none (curl ended with {reply.failed})"
        return f"expected an answer, found {found}"
    content = document(reply)
    if reply.status == 200 and content is not None and "error" not in content:
        return content
    return f"expected an answer, found HTTP {reply.status}: {shown(str((content or {}).get('error', reply.text)))}"


def document(reply: Reply) -> dict[str, Any] | None:
    """Return the JSON object that a reply is; None where it is none."""
    try:
        content = json.loads(reply.text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def shown(text: str) -> str:
    """Return a text of somebody else's on one line, with nothing that a terminal obeys."""
    return " ".join("".join(it if it.isprintable() else " " for it in text[:1000]).split())[:300]


def _texts(of: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Return the text of an answer, and what was thought before it."""
    text, thought = (it if isinstance(it, str) else "" for it in (of.get(key), of.get("thinking")))
    return _whole(text), _whole(thought)


def _whole(text: str) -> str:
    """Return a text without halves of letters, which cannot be written."""
    return text.encode("utf-8", "replace").decode()


def _first(tokens: Any) -> dict[str, float]:
    """Return the likeliest first tokens. Tokens of the same text are one, as likely as the likelier of them."""
    likely: dict[str, float] = {}
    if not (isinstance(tokens, list) and tokens and isinstance(tokens[0], dict)):
        return likely
    others = tokens[0].get("top_logprobs")
    for it in [tokens[0], *(others if isinstance(others, list) else [])]:
        token, value = (it.get("token"), it.get("logprob")) if isinstance(it, dict) else (None, None)
        if isinstance(token, str) and isinstance(value, int | float) and abs(value) <= IMPOSSIBLE:
            likely[_whole(token)] = max(float(value), likely.get(_whole(token), -IMPOSSIBLE))
    return likely

"""Make the request by which a slot is asked an item, and refuse those that would change a slot. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

from ollama_slots.benchmark.items.checks import Letter
from ollama_slots.benchmark.items.item import Item

FORMAT = 1  # of requests: what was asked in another one is asked again
LIKELIEST = 20  # tokens with their log-probability: the most that Ollama gives
PLAIN = "{{ .Prompt }}"  # the template of a model that knows no chat


class Way(StrEnum):
    """The part of Ollama's API that is asked."""

    CHAT = "chat"
    COMPLETION = "generate"
    SHOW = "show"


class Request(NamedTuple):
    """A request to Ollama.

    + timed: it is told how busy the host was before it and after it
    """

    way: Way
    body: Mapping[str, Any]
    timed: bool = False

    @property
    def line(self) -> str:
        """One line of ASCII, as asking.sh reads it."""
        return f"{'timed ' * self.timed}{self.way} {json.dumps(self.body, separators=(',', ':'))}\n"


def way(shown: Mapping[str, Any]) -> Way:
    """Return how a model is asked items, by the answer of /api/show.

    Only the bare template is a model's that goes on with a text; but with a renderer, which makes the chat's text
    in its place.
    """
    bare = "".join(f"{shown.get('template') or PLAIN}".split()) == "".join(PLAIN.split())
    return Way.COMPLETION if bare and not shown.get("renderer") else Way.CHAT


def show(slot: str) -> Request:
    """Return the request for what a slot's variant is made of."""
    return Request(Way.SHOW, {"model": f"{slot}:latest"})


def request(item: Item, slot: str, how: Way, seed: int) -> Request:
    """Return the request by which a slot is asked an item.

    All else is as users have it: its window, its system prompt, its parameters. Of a choice only the first token
    counts, which is not to be that of a thought.
    """
    options = {"temperature": 0, "seed": seed, "num_predict": item.tokens}
    body: dict[str, Any] = {"model": f"{slot}:latest", "stream": False, "options": options}
    if how is Way.CHAT:
        body["messages"] = [{"role": "user", "content": item.prompt}]
    else:
        body |= {"prompt": f"{item.prompt}\n\n", "raw": True}
    if isinstance(item.check, Letter):
        body |= {"logprobs": True, "top_logprobs": LIKELIEST}
        if how is Way.CHAT:
            body["think"] = False
    return Request(how, body)


def digest(item: Item) -> str:
    """Return a digest of what an item asks, to tell whether an answer is one to it."""
    return sha256(json.dumps([FORMAT, item.prompt, item.tokens]).encode()).hexdigest()


# All that a request to a slot may have. A keep_alive stays the slot's; shift, and each option that is not one of
# these, such as num_ctx, may have the engine load its runner again; Go takes a key in capitals for the same.
OPTIONS = {"temperature", "seed", "num_predict"}
ASKS = {"model", "stream", "options", "logprobs", "top_logprobs"}
MAY = {
    Way.CHAT: ASKS | {"messages", "think"},
    Way.COMPLETION: ASKS | {"prompt", "raw"},
    Way.SHOW: {"model"},
}


def refusal(request: Request, slot: str) -> str | None:
    """Return why a request must not be sent to a slot, in one line; None if it may be."""
    body = request.body
    options = body.get("options", {})
    if more := sorted({*body} - MAY[request.way]):
        return f"expected no {' or '.join(more)} in a request to a slot: it could change what users have"
    if more := sorted({*options} - OPTIONS):
        return f"expected no option {' or '.join(more)} in a request to a slot: its runner could be loaded again"
    if body.get("model") != f"{slot}:latest":
        return f"expected a request to {slot}:latest, found one to {body.get('model')}"
    if request.way is Way.SHOW:
        return None
    if not (body.get("messages") or body.get("prompt")):
        return "expected a question, found none: that would only load the model"
    tokens = options.get("num_predict")
    if body.get("stream") is not False or not isinstance(tokens, int) or tokens < 1:
        return f"expected an answer of a bounded length on one line, found num_predict {tokens}"
    return None

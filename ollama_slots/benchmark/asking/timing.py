"""How speed is measured: the requests, and what their answers say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Annotated, NamedTuple

from pydantic import Field

from ollama_slots.benchmark.asking.answered import COUNTS, DURATIONS, said
from ollama_slots.benchmark.asking.request import Request, Way
from ollama_slots.benchmark.choice.measured import Depth, Fixed, Spread
from ollama_slots.benchmark.items.item import stream
from ollama_slots.benchmark.items.retrieval import CHARACTERS, sentence
from ollama_slots.host.questions import Reply

END = "Tell what happens next, in as many words as you can."


class Procedure(NamedTuple):
    """What is done.

    + warm_ups: runs that do not count, before the first that does; and one after each later load, for it is slower
    + runs: at a prompt of so many tokens
    + at_depth: runs at each share of the window; none: speed at depth is not measured
    + tokens: of an answer
    + busy: percent of a GPU, or of the processors, from which on a host is not quiet
    + tries: how often each run is tried, at the most
    """

    warm_ups: int = 2
    runs: int = 7
    prompt: int = 1024
    at_depth: int = 3
    depths: tuple[float, ...] = (0.25, 0.75)
    tokens: int = 128
    busy: int = 10
    tries: int = 4


FULL = Procedure()


class Run(NamedTuple):
    """A run that counts: tokens per second of the answer, and milliseconds to its first token."""

    tokens_per_sec: float
    ttft_ms: float


class Speed(Fixed):
    """How fast a model is on a host.

    + at_depth: where it was measured
    + load_seconds: of a candidate, that its last load took, with one token; None: it was there
    + gpu_bytes: that its runner holds of GPU memory, at its window
    + set_aside: runs that do not count, for the host was not quiet
    """

    tokens_per_sec: Spread
    ttft_ms: Spread
    at_depth: tuple[Depth, ...] = ()
    load_seconds: Annotated[float, Field(gt=0)] | None = None
    gpu_bytes: Annotated[int, Field(ge=0)]
    set_aside: Annotated[int, Field(ge=0)] = 0


def request(name: str, nonce: str, tokens: int, answer: int) -> Request:
    """Return a timed request: its prompt begins with a nonce, so that nothing of it is in a cache.

    + tokens: of the prompt, about
    + answer: tokens of the answer
    """
    random, room = stream(0, "speed", tokens), int(tokens * CHARACTERS) - len(nonce) - len(END)
    sentences: list[str] = []
    while room > 0:
        sentences.append(sentence(random))
        room -= len(sentences[-1]) + 1
    prompt = f"{nonce} {' '.join(sentences)}\n\n{END}"
    options = {"temperature": 0, "seed": 0, "num_predict": answer}
    body = {"model": f"{name}:latest", "prompt": prompt, "stream": False, "options": options}
    return Request(Way.COMPLETION, body, timed=True)


def run(reply: Reply, tokens: int) -> Run | str:
    """Return what an answer says of the speed, or why it says nothing.

    + tokens: that were asked for: an answer that ends early is too short to be timed
    """
    content = said(reply)
    if isinstance(content, str):
        return content
    figures = {it: content[it] for it in (*COUNTS, *DURATIONS) if type(content.get(it)) is int}
    made, took = figures.get("eval_count", 0), figures.get("eval_duration", 0)
    first = figures.get("total_duration", 0) - took - figures.get("load_duration", 0)
    if content.get("done") is not True or made < tokens:
        return f"an answer ended after {made} of {tokens} tokens"
    if took <= 0 or first <= 0:
        return "an answer had no durations"
    return Run(made / took * 1e9, first / 1e6)


def spread(figures: Sequence[float]) -> Spread:
    """Return the median with the least and the most."""
    return Spread(median=median(figures), low=min(figures), high=max(figures))

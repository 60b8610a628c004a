"""Ask a slot all items of a run that it has not answered yet, a block at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from ollama_slots.benchmark.asking.answered import Answered, answered, document, shown
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.asking.progress import progress
from ollama_slots.benchmark.asking.request import Request, Way, refusal, request, show, way
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.item import Item
from ollama_slots.host.questions import Reply

BLOCK = 20  # items of one command: what is lost where the connection breaks
FIRST = 3  # items of the first one: a model that does not answer at all is known after so many bounds

# Sends requests to a slot; returns the replies to them, in order, and why there are not more.
Send = Callable[[Sequence[Request]], tuple[list[Reply], str]]
It = TypeVar("It")


class Slot(NamedTuple):
    """A slot that is resident, or a candidate that is asked as if it were one.

    + variant: its manifest digest
    + weights: the sha256 of its blob
    + model: of a candidate, its base
    """

    name: str
    variant: str
    weights: str
    model: str = ""

    @property
    def called(self) -> str:
        """How messages call it."""
        return f"candidate {self.model}" if self.model else f"slot {self.name}"


def ask(
    slot: Slot,
    items: Sequence[Item],
    seed: int,
    kept: Kept,
    send: Send,
    tell: Callable[[str], None],
    goes_on: Callable[[Sequence[Item]], bool] = bool,
) -> list[Answered]:
    """Return what a slot answers to items, in their order; what is kept is not asked.

    + tell: is told how far it is
    + goes_on: is asked before each block but the first, with the items up to there, whether to ask it; these are
      the same whatever is kept, so that a run that goes on ends where one at a stretch does

    Raises BenchmarkError where it cannot be asked all of them. What was answered until then is kept.
    """
    still = [it for it in items if kept.found(it, slot.variant) is None]
    how = _way(slot, send) if still else Way.CHAT
    heard = any(it and not it.error for it in (kept.found(it, slot.variant) for it in items))
    begun, asked, upto = time.monotonic(), 0, 0
    for whole in blocks(items):
        if upto and not goes_on(items[:upto]):
            break
        upto += len(whole)
        block = [it for it in whole if kept.found(it, slot.variant) is None]
        if not block:
            continue
        replies, why = _sent(slot, [request(it, slot.name, how, seed) for it in block], send)
        made = [answered(it, slot.variant, reply) for it, reply in zip(block, replies, strict=False)]
        heard = heard or any(not it.error for it in made)
        if made and not heard:
            raise BenchmarkError(f"{slot.called}: answered none of {len(made)} items: {made[-1].error}")
        kept.add(made)
        asked += len(made)
        if made:
            done = len(items) - len(still) + asked
            tell(progress(slot.called, done, len(items), asked, time.monotonic() - begun))
        if why or len(made) < len(block):
            raise BenchmarkError(f"{slot.called}: asked {asked} of {len(still)} items: {why or 'no reason told'}")
    return [it for it in (kept.found(it, slot.variant) for it in items) if it]


def blocks(items: Sequence[It]) -> Iterator[Sequence[It]]:
    """Yield items block by block, the first ones in a small one."""
    ends = [0, *range(FIRST, len(items), BLOCK), len(items)]
    for begin, end in pairwise(ends):
        if items[begin:end]:
            yield items[begin:end]


def _way(slot: Slot, send: Send) -> Way:
    replies, why = _sent(slot, [show(slot.name)], send)
    shows = document(replies[0]) if replies else None
    if why or shows is None or replies[0].status != 200:
        why = why or (shown(replies[0].text) if replies else "nothing")
        raise BenchmarkError(f"{slot.called}: expected what its model is made of, found: {why}")
    return way(shows)


def _sent(slot: Slot, requests: Sequence[Request], send: Send) -> tuple[list[Reply], str]:
    """Send requests, none of which can change the slot. Raises BenchmarkError where one could."""
    for it in requests:
        if why := refusal(it, slot.name):
            raise BenchmarkError(f"{slot.called}: {why}")
    return send(requests)

"""Measure how fast a slot, or a candidate, is."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from ollama_slots.benchmark.asking.ask import Send, Slot
from ollama_slots.benchmark.asking.request import refusal
from ollama_slots.benchmark.asking.timing import FULL, Procedure, Run, Speed, request, run, spread
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.choice.measured import Depth, Spread
from ollama_slots.host.questions import Reply


def measure(slot: Slot, send: Send, window: int, tell: Callable[[str], None], by: Procedure = FULL) -> Speed:
    """Return how fast a slot or a candidate is.

    + send: of hosts.sender, or of candidates.candidate
    + window: its context window, in tokens
    + tell: is told what could not be measured at depth

    Raises BenchmarkError where the host is not quiet, or no answer is long enough. Nothing is kept of it then.
    """
    runs, prompt = _Runs(slot, send, by), min(by.prompt, window // 2)
    counted = runs.take(by.runs, prompt)
    deeper = []
    for tokens in (int(window * share) for share in by.depths if by.at_depth):
        try:
            found = runs.take(by.at_depth, tokens)
        except _TooShortError as error:
            tell(f"{error}; the speed at {tokens} tokens is left out")
            continue
        deeper.append(Depth(tokens=tokens, tokens_per_sec=_speeds(found), ttft_ms=_waits(found)))
    return Speed(
        tokens_per_sec=_speeds(counted),
        ttft_ms=_waits(counted),
        at_depth=tuple(deeper),
        load_seconds=runs.loaded or None,
        gpu_bytes=runs.gpu_bytes,
        set_aside=runs.set_aside,
    )


class _TooShortError(BenchmarkError):
    """Answers end early, or do not come."""


class _Runs:
    """Runs of a slot, and what was seen in them.

    + loaded, gpu_bytes: of the last one
    + loads: how often it was loaded
    + cold, expected: how many more do not count, for they follow a load; how many of the next command will not
    """

    def __init__(self, slot: Slot, send: Send, by: Procedure) -> None:
        self.slot, self.send, self.by = slot, send, by
        self.loaded, self.gpu_bytes, self.set_aside, self.loads = 0.0, 0, 0, 0
        self.cold = self.expected = by.warm_ups

    def take(self, wanted: int, tokens: int) -> list[Run]:
        """Return so many runs that count, at a prompt of so many tokens; others are repeated."""
        counted: list[Run] = []
        tried, skipped, busy, why = 0, 0, list[int | None](), ""
        while len(counted) < wanted:
            if tried >= self.by.tries * wanted or skipped > self.by.tries * (wanted + self.by.warm_ups):
                raise self._failed(len(counted), wanted, tried, busy, why)
            replies = self._replies(wanted - len(counted) + self.expected, tokens)
            for reply, then in zip(replies, [*replies[1:], None], strict=True):
                if reply.anew and self.loads > 1:
                    # Of one that answers once a command, there is nothing else.
                    self.cold = 0 if then is None or then.anew else min(1, self.by.warm_ups)
                if self.cold:
                    self.cold, skipped = self.cold - 1, skipped + 1
                    continue
                tried += 1
                found = run(reply, self.by.tokens)
                if isinstance(found, str):
                    why = found
                elif reply.busy is None or reply.busy > self.by.busy:
                    busy.append(reply.busy)
                    self.set_aside += 1
                else:
                    counted.append(found)
        return counted[:wanted]

    def _failed(self, counted: int, wanted: int, tried: int, busy: list[int | None], why: str) -> BenchmarkError:
        if not busy:
            return _TooShortError(f"{self.slot.called}: timed {counted} of {wanted} runs in {tried}: {why}")
        known = [it for it in busy if it is not None]
        most = f"up to {max(known)} % busy" if known else "how busy it was is not known"
        return BenchmarkError(
            f"{self.slot.called}: host not quiet: expected {wanted} runs at {self.by.busy} % or less, found "
            f"{counted} of {tried}, {most}: measure when others do less there"
        )

    def _replies(self, count: int, tokens: int) -> list[Reply]:
        asked = [request(self.slot.name, token_hex(4), tokens, self.by.tokens) for _ in range(count)]
        for it in asked:
            if why := refusal(it, self.slot.name):
                raise BenchmarkError(f"{self.slot.called}: {why}")
        replies, why = self.send(asked)
        if why or len(replies) < count:
            raise BenchmarkError(f"{self.slot.called}: timed {len(replies)} of {count} runs: {why}")
        self.gpu_bytes = replies[-1].gpu_bytes
        self.loads += sum(it.anew for it in replies)
        again = self.loads > 1 and any(it.anew for it in replies)  # slots make way for it: each command loads it
        self.expected = min(1, self.by.warm_ups) if again else 0
        self.loaded = next((it.loaded for it in reversed(replies) if it.loaded), self.loaded)
        return replies


def _speeds(runs: list[Run]) -> Spread:
    return spread([it.tokens_per_sec for it in runs])


def _waits(runs: list[Run]) -> Spread:
    return spread([it.ttft_ms for it in runs])

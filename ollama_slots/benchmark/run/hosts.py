"""A host of the inventory, on which models are measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyinfra import logger
from pyinfra.api import Host

from ollama_slots.benchmark.asking import ask, candidates, hosts
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.asking.speed import measure
from ollama_slots.benchmark.asking.timing import Procedure
from ollama_slots.benchmark.items.item import Item
from ollama_slots.benchmark.run import memory
from ollama_slots.benchmark.run.bring import bring, look
from ollama_slots.benchmark.run.week import Timed
from ollama_slots.core import names
from ollama_slots.core.selection import RULES
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.targets import Target, context


class HostBench:
    """A host as it was read when it was made: what it has in memory is looked at again whenever it is asked.

    + host: the one at hand
    """

    def __init__(
        self,
        host: Host,
        settings: Settings,
        seed: int,
        models: Collection[str],
        windows: Mapping[int, Collection[int]],
        procedure: Procedure,
    ) -> None:
        """Read the host.

        + models: that may be asked beside the slots'
        + windows: that the hosts of the run give slots 1 to 3, by slot
        + procedure: by which speed is measured

        Raises BenchmarkError where it cannot be read.
        """
        self.host, self.settings, self.seed, self.name = host, settings, seed, host.name
        self.windows, self.procedure = windows, procedure
        self.snapshot = look(settings, models)
        self.room = memory.room(self.snapshot)
        states = self.snapshot.observed.states
        self.slots = {it.number: it.name for it in settings.slots if it.number in RULES and it.name in states}
        self.holds = {number: states[name].model for number, name in self.slots.items()}

    def weights(self, model: str) -> str | None:
        """Return the weights of a model that a slot has, or that is there."""
        name = self._slot(model)
        return self.snapshot.observed.states[name].weights if name else self.snapshot.detailed.weights(model)

    @contextmanager
    def subject(self, model: str) -> Iterator[HostSubject]:
        """Open a model: the slot that has it, or its weights, else a candidate for the slot of the least window.

        A candidate that is not on the host is pulled.
        """
        name, there = self._slot(model), self.snapshot
        if name is None:
            there = bring(self.host, self.settings, model)
            name = _on(there, there.detailed.weights(model))
        if name is not None:
            slot = hosts.slot(there.observed, name)
            send = hosts.sender(self.host, self.settings, there.observed, slot)
            window = there.observed.states[name].context
            said = next((it.runner for it in self.settings.slots if it.name == name), {})
            yield HostSubject(self, there, model, f"{name}:latest", slot, send, window, said)
            return
        least = min((it for it in self.settings.slots if it.number in RULES), key=lambda it: it.num_ctx)
        window = context(Target(least, model, least.num_ctx), there.detailed)
        with candidates.candidate(self.host, self.settings, model, least.number) as (slot, send):
            yield HostSubject(self, there, model, model, slot, send, window, least.runner)

    def tell(self, line: str) -> None:
        """Log a line of this host."""
        logger.info(f"    [{self.name}] {line}")

    def _slot(self, model: str) -> str | None:
        return next((self.slots[it] for it, held in self.holds.items() if names.same(held, model)), None)


def _on(there: Snapshot, weights: str | None) -> str | None:
    """Return a slot that is on these weights, whichever its number, or None."""
    return next((name for name, it in there.observed.states.items() if it.weights == weights), None)


@dataclass(frozen=True)
class HostSubject:
    """A model that is asked on a host.

    + there: the host with it
    + shown: a name whose figures are known: a slot's base need not be there any more
    + window: with which it is, or will be, in memory
    + said: what it is loaded with says of its runner, beside what the model says itself
    """

    bench: HostBench
    there: Snapshot
    model: str
    shown: str
    slot: ask.Slot
    send: ask.Send
    window: int
    said: Mapping[str, int]

    @property
    def weights(self) -> str:
        """Of its blob."""
        return self.slot.weights

    @property
    def digest(self) -> str:
        """Of its variant."""
        return self.slot.variant

    def ask(self, items: Sequence[Item], kept: Kept, goes_on: Callable[[Sequence[Item]], bool]) -> None:
        """Have it asked what is not kept."""
        ask.ask(self.slot, items, self.bench.seed, kept, self.send, self._tell, goes_on)

    def speed(self) -> Timed:
        """Measure it."""
        found = measure(self.slot, self.send, self.window, self._tell, self.bench.procedure)
        takes = memory.takes(self.there, self.shown, found.gpu_bytes, self.window, self.bench.windows, self.said)
        return Timed(
            tokens_per_sec=found.tokens_per_sec, ttft_ms=found.ttft_ms, takes=takes, at_depth=found.at_depth
        )

    def _tell(self, line: str) -> None:
        self.bench.tell(line if self.slot.model else f"{self.model}: {line}")

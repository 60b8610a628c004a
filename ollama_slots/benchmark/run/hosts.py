"""A host of the inventory, on which models are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pyinfra import logger
from pyinfra.api import Host

from ollama_slots.benchmark.asking import ask, hosts
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.item import Item
from ollama_slots.benchmark.run.week import Room, Timed
from ollama_slots.core import names
from ollama_slots.core.cards import driver_takes, room
from ollama_slots.core.gpu_memory import needs, rule, takes
from ollama_slots.core.observed import Observed
from ollama_slots.core.placing import Taken
from ollama_slots.core.selection import RULES
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.targets import Target, context
from ollama_slots.run.gather import detailed
from ollama_slots.run.session import UNREADABLE, read


class HostBench:
    """A host as it was read when it was made: what it has in memory is looked at again whenever it is asked.

    + host: the one at hand
    """

    def __init__(self, host: Host, settings: Settings, seed: int) -> None:
        """Read the host. Raises BenchmarkError where it cannot be read."""
        self.host, self.settings, self.seed, self.name = host, settings, seed, host.name
        observed = read(settings)
        if observed is None or observed.lacks or observed.listed is None or observed.runners is None:
            why = UNREADABLE if observed is None else observed.lacks or f"Ollama does not answer{observed.where}"
            raise BenchmarkError(why)
        try:
            self.snapshot = detailed(Snapshot(settings, observed))
            self.room = _room(self.snapshot)
        except ValueError as error:
            raise BenchmarkError(f"{error}") from None
        chosen = [it for it in settings.slots if it.number in RULES and it.name in observed.states]
        self.slots = {it.number: it.name for it in chosen}
        self.holds = {number: observed.states[name].model for number, name in self.slots.items()}

    @property
    def observed(self) -> Observed:
        """The host as it was read."""
        return self.snapshot.observed

    def weights(self, model: str) -> str | None:
        """Return the weights of a model that a slot has, or that was asked about."""
        name = self._slot(model)
        return self.observed.states[name].weights if name else self.snapshot.detailed.weights(model)

    @contextmanager
    def subject(self, model: str) -> Iterator[HostSubject]:
        """Open a model: the first slot that has it."""
        name = self._slot(model)
        if name is None:
            raise BenchmarkError(f"{model} has no slot on {self.name}")
        slot = hosts.slot(self.observed, name)
        send = hosts.sender(self.host, self.settings, self.observed, slot)
        yield HostSubject(self, model, slot, send, self.observed.states[name].context)

    def tell(self, line: str) -> None:
        """Log a line of this host."""
        logger.info(f"    [{self.name}] {line}")

    def _slot(self, model: str) -> str | None:
        return next((self.slots[it] for it, held in self.holds.items() if names.same(held, model)), None)

    def takes(self, model: str, gpu_bytes: int, window: int) -> dict[int, Taken]:
        """Return what a model takes at the window of each of slots 1 to 3.

        + gpu_bytes: that its runner held, as was seen, at this window; what it holds at others differs as foreseen
        """
        key, more = names.parse(model).key, driver_takes(self.snapshot)
        seen = takes(self.snapshot, key, window)
        found = {}
        for slot in self.settings.slots:
            if slot.number in RULES:
                tokens = context(Target(slot, model, slot.num_ctx), self.snapshot.detailed)
                foreseen = takes(self.snapshot, key, tokens)
                held = max(0, gpu_bytes + foreseen.held - seen.held) + more
                found[slot.number] = replace(foreseen, held=held, computed=more)
        return found


@dataclass(frozen=True)
class HostSubject:
    """A model that is in memory on a host.

    + window: with which it is
    """

    bench: HostBench
    model: str
    slot: ask.Slot
    send: ask.Send
    window: int

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
        raise NotImplementedError

    def _tell(self, line: str) -> None:
        self.bench.tell(f"{self.model}: {line}")


def _room(snapshot: Snapshot) -> Room:
    """Return what GPU memory a host has for slots 1 to 3. Raises ValueError where slots cannot share weights."""
    observed, cards = snapshot.observed, room(snapshot)
    gpus = [it.name or it.library for it in observed.gpus or ()]
    kind = ", ".join([*gpus, *([] if gpus else ["no GPU"]), f"Ollama {observed.version}"])
    others = {
        weights: need.taken
        for need in needs(snapshot)
        if (weights := snapshot.detailed.weights(need.slots[0].model))
        and any(it.slot.number not in RULES for it in need.slots)
    }
    return Room(kind=kind, cards=tuple(cards) if cards else None, rule=rule(observed), others=others)

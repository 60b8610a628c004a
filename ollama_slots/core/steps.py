"""Define the steps that change a host: pull, rotate, remove; run/executor.py carries them out."""

from __future__ import annotations

from dataclasses import dataclass

from ollama_slots.core.observed import SlotState
from ollama_slots.core.targets import Target


@dataclass(frozen=True)
class Pull:
    """A base is not there, or its weights are not."""

    model: str
    slots: tuple[str, ...]  # the slots that wait for it
    size: int = 0  # bytes that the host does not have yet, where that is known
    ours: bool = True  # to be removed again one day: its name was not there, or it was ours before
    damaged: tuple[str, ...] = ()  # weights that go first: the engine pulls no blob that is there, whole or not

    def __str__(self) -> str:
        size = f", {self.size / 10**6:.0f} MB" if self.size else ""
        which = " and ".join(it[:12] for it in self.damaged)
        why = f": its weights, {which}, are damaged on the disk or gone" if self.damaged else ""
        return f"pull {self.model}{size}, for slot {' and '.join(self.slots)}{why}"


@dataclass(frozen=True)
class Remove:
    """Something of ours is to go: from memory, from the engine's models, and as a slot."""

    why: str
    unload: str | None = None  # a model whose runner is to end; ending goes by weights
    put_back: str | None = None  # a slot's name, whose NAME:current is a candidate that was never switched to
    delete: tuple[str, ...] = ()
    forget: str | None = None  # a slot's name, whose state and Modelfile go
    discard: tuple[str, ...] = ()  # blobs of a pull that was not finished

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True)
class Rotate:
    """A slot's variant is to be made, and to take the slot's name once it is proven. See host/rotate.sh."""

    target: Target
    modelfile: str  # its text; none: the slot goes back to NAME:previous, which is there
    state: SlotState  # as it will be, but for the digests that come of it
    known: tuple[str, ...]  # digests under which the new weights may be loaded already
    make_room: bool
    unload_old: bool
    alone: bool
    begins: bool  # the slot serves nothing yet
    why: str

    def __str__(self) -> str:
        room = (
            ", the old one unloaded first: both do not fit in GPU memory"
            if self.make_room
            else ", the old one unloaded after"
            if self.unload_old
            else ""
        )
        model, tokens = self.target.model, self.state.context
        return f"slot {self.target.slot.name}: {model} at {tokens} tokens, {self.why}{room}"


Step = Pull | Remove | Rotate

"""Find the differences of one slot or file: a deploy removes them, a status reports them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from ollama_slots.core import names
from ollama_slots.core.details import Details
from ollama_slots.core.observed import Observed, SlotState
from ollama_slots.core.targets import Target, asks, context, lies


class Difference(NamedTuple):
    """A difference between desired and observed, in words."""

    what: str  # a slot, a unit, a file, a process
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.wanted}, found {self.found}"


def differing(files: dict[str, tuple[str, str]], observed: Observed) -> list[str]:
    """Return the paths of files whose content on the host differs; a file is its mode and its text, by path."""
    return [
        path for path, (_, text) in files.items() if observed.files.get(path) != sha256(text.encode()).hexdigest()
    ]


def of_variant(
    target: Target, observed: Observed, modelfile: str, details: Details | None
) -> list[tuple[str, Difference]]:
    """Return why a slot's variant has to be made, and what differs; nothing if it is as declared.

    + modelfile: the text that is declared
    + details: None where none were asked; what only they tell is then taken to be well
    """
    name, state = target.slot.name, observed.states.get(target.slot.name)
    slot = f"slot {name}"
    if observed.digest(name) is None:
        return [("made", Difference(slot, f"{target.model} at {target.num_ctx} tokens", "nothing"))]
    if state is None:
        return [("made again: its state is unknown", Difference(slot, "a state of its variant", "none"))]
    if not names.same(state.model, target.model):  # whatever else there is, is of the other model
        return [(f"in place of {state.model}", Difference(slot, target.model, state.model))]
    checks = _checks(target, state, observed, modelfile, details)
    return [(why, Difference(slot, wanted, other)) for why, wanted, other in checks]


def _checks(
    target: Target, state: SlotState, observed: Observed, modelfile: str, details: Details | None
) -> Iterator[tuple[str, str, str]]:
    """Yield why a variant of the right model has to be made again, what was expected, and what was found."""
    name, model = target.slot.name, target.model
    base, variant, text = observed.digest(model), observed.digest(name), sha256(modelfile.encode()).hexdigest()
    if state.base not in observed.digests(model):
        now = f"as that is now, {short(base)}" if base else "that is on the host"
        yield "made again: its base moved", f"made from {model} {now}", f"made from {short(state.base)}"
    if state.variant not in observed.digests(name):
        made = f"{name} as it was made, {short(state.variant)}"
        yield "made again: it was changed by hand", made, f"one changed by hand, {short(variant)}"
    if state.modelfile != text:
        yield "made again: its Modelfile changed", "made from its declared Modelfile", "made from another"
    if details and observed.digests(model) == {state.base} and state.weights != details.weights(model):
        weights = short(details.weights(model))
        yield "made again: its state is wrong", f"weights {weights} in its state", short(state.weights)
    if details and state.context != context(target, details):
        yield (
            "made again: its context window changed",
            f"{context(target, details)} tokens",
            f"{state.context} tokens",
        )
    if details and state.asks != asks(target, details):
        ways = {"": "to generate", "embed": "to embed"}
        yield "made again: it is asked otherwise", f"asked {ways[asks(target, details)]}", ways[state.asks]
    lying = lies(target, details.shown[names.parse(model).key] if details else None)
    if lying not in {None, state.gpu}:
        places = {"": "wholly in GPU memory", "no": "in GPU memory as far as its num_gpu says"}
        yield "made again: its place in memory changed", places[lying or ""], places[state.gpu]
    copy = observed.modelfiles.get(name)
    if copy not in {text, state.modelfile}:  # a changed Modelfile is reported already
        yield "its Modelfile written again", f"{name}.Modelfile as it was made", "another" if copy else "none"


def short(digest: str | None) -> str:
    """Return a digest as ``ollama list`` shows it."""
    return (digest or "none")[:12]

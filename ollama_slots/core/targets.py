"""Decide what each slot of a host is to hold: its base, and its context window where weights are shared."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from ollama_slots.core import kinds, names
from ollama_slots.core.details import Details, Shown
from ollama_slots.core.observed import Observed
from ollama_slots.core.settings import EMPTY, Settings, Slot


@dataclass(frozen=True)
class Target:
    """A slot that is to hold a model: the declared one, or where none is declared the one it has."""

    slot: Slot
    model: str  # the base, canonical
    num_ctx: int  # tokens; the slot's own, or the largest of those who share its weights


def targets(settings: Settings, observed: Observed) -> list[Target]:
    """Return the slots that are to hold a model on this host, in order of number."""
    wanted = []
    for slot in settings.slots:
        state = observed.states.get(slot.name)
        model = slot.model or (state.model if state else observed.remembered(slot.name))
        if model and model != EMPTY:
            wanted.append(Target(slot, observed.spelling(model), slot.num_ctx))
    return wanted


def undeclared(settings: Settings, observed: Observed) -> list[str]:
    """Return the slots that a host has and the data do not name: to the engine, case does not count."""
    declared = {it.name.lower() for it in settings.slots}
    return [name for name in observed.states if name.lower() not in declared]


def lost(settings: Settings, observed: Observed) -> list[Slot]:
    """Return the slots that have a variant of which nothing says what it is: neither the data nor a state.

    A model that no deploy has made, and that has such a name, is the user's own: the slot is empty.
    """
    known = {it.slot.name for it in targets(settings, observed)}
    slots = [it for it in settings.slots if it.model is None and it.name not in known]
    return [it for it in slots if observed.digest(it.name) and not _own(it.name, observed)]


def foreign(settings: Settings, observed: Observed) -> list[Slot]:
    """Return the slots of which the data say what they hold, and whose name is a model that no deploy has made.

    One that somebody has made in a slot's place counts where the slot is to be emptied: else a rotation keeps it.
    """
    named = [it for it in settings.slots if it.model and observed.digest(it.name)]
    return [it for it in named if _own(it.name, observed, emptied=it.model == EMPTY)]


def _own(name: str, observed: Observed, emptied: bool = False) -> bool:
    """Return whether a model with a slot's name is the user's own.

    What is NAME:current, too, is of a deploy: one that was ended before it wrote it down, or whose state is lost.

    + emptied: also where it has taken the place of a slot's variant
    """
    state, known = observed.states.get(name), {it.lower() for it in (*observed.states, *observed.modelfiles)}
    if emptied and state and state.variant not in observed.digests(name):
        known.discard(name.lower())
    return name.lower() not in known and not observed.digests(name) & observed.digests(f"{name}:current")


def known_weights(wanted: list[Target], observed: Observed, details: Details | None) -> dict[str, str]:
    """Return the weights of each target's base, by slot name, as far as they are known.

    From the details where there are any, else from the slot's state as long as the base is the same manifest.
    """
    weights = {}
    for target in wanted:
        state = observed.states.get(target.slot.name)
        if details:
            known = details.weights(target.model)
        elif state and names.same(state.model, target.model) and state.base == observed.digest(target.model):
            known = state.weights
        else:
            known = None
        if known:
            weights[target.slot.name] = known
    return weights


def aligned(settings: Settings, wanted: list[Target], weights: dict[str, str]) -> tuple[list[Target], list[str]]:
    """Return the targets with their windows settled, and a notice for each set of weights that is shared.

    The engine keeps one runner for one set of weights, so different windows on it evict each other.
    Raises ValueError where ``shared_base`` forbids it.
    """
    sharing: dict[str, list[Target]] = defaultdict(list)
    for target in wanted:
        # Where the weights are not known yet, at least the same name is the same weights.
        sharing[weights.get(target.slot.name) or names.parse(target.model).key].append(target)
    result, notices = list(wanted), []
    for group in sharing.values():
        windows = {target.num_ctx for target in group}
        if len(group) == 1:
            continue
        who = " and ".join(target.slot.name for target in group)
        what = f"{who} share the weights of {group[0].model}"
        if settings.shared_base == "error":
            raise ValueError(
                f"{what}, and shared_base is error: give them different bases, or set shared_base to align"
            )
        if len(windows) > 1 and settings.shared_base == "align":
            largest = max(windows)
            result = [replace(target, num_ctx=largest) if target in group else target for target in result]
            notices.append(f"{what}: one runner, so all get the largest context window, {largest} tokens")
        elif len(windows) > 1:
            notices.append(
                f"{what} with different context windows: each request to the other one reloads the model"
            )
        if differ := kinds.unlike([it.slot.runner for it in group]):
            notices.append(
                f"{what} with different {' and '.join(differ)}: each request to the other one reloads the model"
            )
    return result, notices


def context(target: Target, details: Details) -> int:
    """Return the window that Ollama shows: at most what the model was trained for, 2048 at least for vision."""
    shown = details.shown[names.parse(target.model).key]
    window = max(target.num_ctx, 2048) if shown.sees else target.num_ctx
    return min(window, shown.trained_context or window)


def asks(target: Target, details: Details) -> kinds.Asks:
    """Return by which of Ollama's API a slot is asked, as its state has it."""
    return "embed" if details.shown[names.parse(target.model).key].embeds else ""


def lies(target: Target, shown: Shown | None) -> kinds.Lies | None:
    """Return whether a slot need not be wholly in GPU memory, as its state has it; None is unknown.

    + shown: of its base, where that is known
    """
    declared = target.slot.runner.get("num_gpu")
    if shown is None and (declared is None or declared > 0):
        return None  # its base, or its number of layers, decides
    own, blocks = (shown.runner.get("num_gpu"), shown.blocks) if shown else (None, None)
    return "" if kinds.wholly_in_gpu(declared, own, blocks) else "no"


def capped(wanted: list[Target], observed: Observed, details: Details | None) -> list[str]:
    """Return a notice for each slot whose window is more than its model was trained for: Ollama caps it."""
    notices = []
    for target in wanted:
        state = observed.states.get(target.slot.name)
        if details and names.parse(target.model).key in details.shown:
            window = context(target, details)
        elif state and names.same(state.model, target.model) and not details:
            window = state.context
        else:
            continue  # nothing is known of it yet
        if window < target.num_ctx:
            notices.append(
                f"slot {target.slot.name}: {target.model} was trained for {window} tokens, "
                f"so its context window is {window}, not {target.num_ctx}"
            )
    return notices

"""What is declared + what a host has -> the ordered steps between the two. Pure: the thinking is here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from ollama_slots import names
from ollama_slots.difference import of_variant
from ollama_slots.found import Details, Found, SlotState
from ollama_slots.memory import fits
from ollama_slots.residency import fault, weights_by_digest
from ollama_slots.settings import EMPTY, Settings
from ollama_slots.step import Pull, Remove, Rotate, Step
from ollama_slots.targets import Target, context, targets

Render = Callable[[Target], str]
# A slot's names: what serves, what was made for it last, and what served before.
TAGS = ("latest", "current", "previous")


def questions(settings: Settings, found: Found) -> list[str]:
    """The models whose details the steps depend on: the bases, all that is ours, and all that is loaded."""
    loaded = {runner.digest for runner in found.runners or ()}
    variants = {f"{name}:{tag}" for name in ours(settings, found) for tag in TAGS}
    asked = [target.model for target in targets(settings, found)]
    asked += sorted(name for name in variants if found.digest(name))
    asked += sorted(it.model for it in _changed(found).values() if found.digest(it.model))
    asked += sorted(it.name for it in (found.listed or {}).values() if it.digest in loaded)
    return list({names.parse(name).key: name for name in asked}.values())


def doubted(found: Found) -> tuple[str, ...]:
    """The weights of slots that the warm-up could not load, if that is so: the disk may have lost them."""
    failed = found.units.get("ollama-warmup.service", {}).get("ActiveState") == "failed"
    return tuple(sorted({it.weights for it in found.states.values()} - found.live)) if failed else ()


def settled(settings: Settings, wanted: list[Target], found: Found, render: Render) -> bool:
    """Whether the host is as declared, as far as that can be told without asking for details.

    A slot that is about to be unloaded is not: its weights may be gone from the disk, which only the details tell.
    """
    known, serving = weights_by_digest(found), {it.weights for it in found.states.values()}
    mine = ours(settings, found)
    previous = {digest for name in mine for digest in found.digests(f"{name}:previous")}
    return (
        not any(found.cut_off(name) for name in mine)
        and not _emptied(settings, found)
        and not any(it.digest in previous and known.get(it.digest) not in serving for it in found.runners or ())
        and all(
            fault(target, found, needs_gpu=False, for_ever=settings.for_ever) is None
            and not of_variant(target, found, render(target), None)
            for target in wanted
        )
    )


def steps(settings: Settings, wanted: list[Target], found: Found, details: Details, render: Render) -> list[Step]:
    """The steps from what the host has to what is declared, in order; none where it is so.

    Only the first is sure to be right when it is taken: a step changes what the later ones depend on.
    """
    missing: dict[str, list[Target]] = defaultdict(list)
    for target in wanted:
        if details.weights(target.model) is None:
            missing[names.parse(target.model).key].append(target)
    if missing:
        return [
            Pull(
                model=them[0].model,
                slots=tuple(it.slot.name for it in them),
                ours=found.digest(them[0].model) is None or found.brought(them[0].model),
                damaged=details.damaged.get(model),
            )
            for model, them in missing.items()
        ]

    held = holdings(settings, {details.weights(it.model) for it in wanted}, found, details)
    rotations = [_rotation(settings, target, found, details, render(target), held) for target in wanted]
    # Emptying comes last: it takes the digest with it by which a runner may be known that other slots share.
    return [
        *leftovers(settings, found, details, held),
        *(it for it in rotations if it),
        *_empties(settings, found, held),
    ]


def removals(settings: Settings, wanted: list[Target], found: Found, details: Details) -> list[Remove]:
    """All of ours that is to go, whatever else is to be done."""
    held = holdings(settings, {details.weights(it.model) for it in wanted}, found, details)
    return [*leftovers(settings, found, details, held), *_empties(settings, found, held)]


@dataclass(frozen=True)
class Held:
    """Weights by what they are for."""

    serving: dict[str, str]  # what each slot's name answers with now, by slot
    needed: set[str | None]  # what the slots are to have
    loaded: set[str | None]  # what is in memory

    def idle(self, weights: str | None) -> bool:
        """Whether no slot answers with them, nor is to."""
        return weights not in self.needed and weights not in self.serving.values()

    def by_others(self, name: str) -> set[str]:
        """What all slots but one answer with now."""
        return {weights for other, weights in self.serving.items() if other != name}


def holdings(settings: Settings, needed: set[str | None], found: Found, details: Details) -> Held:
    """What a host's weights are for.

    + needed: those that the slots at hand are to have
    """
    known = weights_by_digest(found, details)
    return Held(
        serving={name: it for name in ours(settings, found) if (it := details.weights(name))},
        needed=needed,
        loaded={known.get(runner.digest) for runner in found.runners or ()},
    )


def ours(settings: Settings, found: Found) -> list[str]:
    """The names of the slots, of those that are declared and of those that a host has."""
    return list(dict.fromkeys([*(slot.name for slot in settings.slots), *found.states]))


def _changed(found: Found) -> dict[str, SlotState]:
    """What is known of the slots whose name somebody else gave to another model, or took away."""
    return {name: state for name, state in found.states.items() if state.variant not in found.digests(name)}


def _emptied(settings: Settings, found: Found) -> list[str]:
    return [
        slot.name
        for slot in settings.slots
        if slot.model == EMPTY and (slot.name in found.states or found.digest(slot.name))
    ]


def leftovers(settings: Settings, found: Found, details: Details, held: Held) -> list[Remove]:
    """What is to be cleared away of rotations that died, and of slots that were changed by hand."""
    removals: list[Remove] = []
    for name in ours(settings, found):
        idle = {
            it: weights
            for tag in TAGS[1:]
            if (weights := details.weights(it := f"{name}:{tag}")) and held.idle(weights)
        }
        if found.cut_off(name):
            candidate = f"{name}:current"
            why = f"put {candidate} back, its rotation was cut off"
            removals.append(Remove(why, unload=candidate if candidate in idle else None, put_back=name))
        elif unload := next((it for it, weights in idle.items() if weights in held.loaded), None):
            # What a rotation that died after its switch left in memory.
            removals.append(Remove(f"unload {unload}, no slot uses it", unload=unload))
    for name, state in _changed(found).items():
        left = held.idle(state.weights) and state.weights in held.loaded
        # Where NAME:previous has them, the loop above has seen to it.
        if left and details.weights(state.model) == state.weights != details.weights(f"{name}:previous"):
            why = f"unload {state.model}, no slot uses it: {name} was changed by hand"
            removals.append(Remove(why, unload=state.model))
    return removals


def _empties(settings: Settings, found: Found, held: Held) -> list[Remove]:
    removals: list[Remove] = []
    for name in _emptied(settings, found):
        still = {*held.needed, *held.by_others(name), None}
        removals.append(
            Remove(
                f"slot {name}: empty it",
                unload=f"{name}:latest" if held.serving.get(name) not in still else None,
                delete=tuple(it for tag in TAGS if found.digest(it := f"{name}:{tag}")),
                forget=name,
            )
        )
    return removals


def _rotation(
    settings: Settings, target: Target, found: Found, details: Details, modelfile: str, held: Held
) -> Rotate | None:
    differences = of_variant(target, found, modelfile, details)
    if not differences:
        return None
    base, weights = found.digest(target.model), details.weights(target.model)
    assert base is not None
    assert weights is not None
    key = names.parse(target.model).key
    state = SlotState(
        model=target.model,
        modelfile=sha256(modelfile.encode()).hexdigest(),
        base=base,
        weights=weights,
        context=context(target, details),
        brought=found.bases[key].isoformat() if found.brought(target.model) else "",
    )
    room = fits(settings, target.model, state.context, found, details)
    return rotation(target, modelfile, state, found, details, held, room, differences[0][0])


def rotation(
    target: Target,
    modelfile: str,
    state: SlotState,
    found: Found,
    details: Details,
    held: Held,
    room: bool,
    why: str,
) -> Rotate:
    """The step that has a slot's candidate take its name.

    + modelfile, state, why: of the step
    + held: what the host's weights are for
    + room: there is memory for the new weights beside all that is loaded
    """
    new, old, others = state.weights, held.serving.get(target.slot.name), held.by_others(target.slot.name)
    return Rotate(
        target=target,
        modelfile=modelfile,
        state=state,
        known=tuple(it for it, weights in weights_by_digest(found, details).items() if it and weights == new),
        make_room=(not room and old in held.loaded and old not in {*others, new, None} and new not in held.loaded),
        unload_old=old is not None and old not in {*held.needed, *others, new},
        alone=new not in {*others, old},
        why=why,
    )

"""Plan the ordered steps from observed to desired. The decisions are here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile

from ollama_slots.core import names
from ollama_slots.core.differences import of_variant
from ollama_slots.core.gpu_memory import fits
from ollama_slots.core.observed import Observed, Runner, SlotState
from ollama_slots.core.rendered import Modelfile
from ollama_slots.core.residency import fault, needs_gpu, weights_by_digest
from ollama_slots.core.settings import EMPTY, Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Pull, Remove, Rotate, Step
from ollama_slots.core.targets import Target, asks, context, lies, targets, undeclared

# A slot's names: what serves, what was made for it last, and what served before.
TAGS = ("latest", "current", "previous")
MOST_TOGETHER = 4  # steps in one command, whose length Linux bounds (128 KiB)


def questions(settings: Settings, observed: Observed) -> list[str]:
    """Return the models whose details the steps depend on: the bases, all of ours, and all that is loaded."""
    loaded = {runner.digest for runner in observed.runners or ()}
    variants = {f"{name}:{tag}" for name in ours(settings, observed) for tag in TAGS}
    asked = [target.model for target in targets(settings, observed)]
    asked += sorted(name for name in variants if observed.digest(name))
    asked += sorted(it.model for it in _changed(observed).values() if observed.digest(it.model))
    asked += sorted(it.name for it in (observed.listed or {}).values() if it.digest in loaded)
    return list({names.parse(name).key: name for name in asked}.values())


def beforehand(settings: Settings) -> tuple[str, ...]:
    """Return those of them that are known before the host is: what is declared, and the slots' own."""
    declared = [slot.model for slot in settings.slots if slot.model and slot.model != EMPTY]
    own = [f"{slot.name}:{tag}" for slot in settings.slots for tag in TAGS]
    return tuple({names.parse(name).key: name for name in [*declared, *own]}.values())


def asked(settings: Settings, observed: Observed) -> tuple[str, ...]:
    """Return the models whose details a plan may depend on after a step: ``questions``, and ``beforehand``."""
    return tuple(dict.fromkeys([*questions(settings, observed), *beforehand(settings)]))


def doubted(observed: Observed) -> tuple[str, ...]:
    """Return the weights that a failed warm-up could not load: they may be damaged on the disk."""
    failed = observed.warm_up.get("ActiveState") == "failed"
    ended = {
        it.weights for it in observed.states.values() if not observed.lives(it.weights, it.variant, it.loaded)
    }
    return tuple(sorted(ended)) if failed else ()


def settled(snapshot: Snapshot, modelfile: Modelfile) -> bool:
    """Return whether the host is as declared, as far as that is known without asking for details.

    A slot that is about to be unloaded is not: its weights may be gone from the disk, which only the details tell.
    """
    settings, observed = snapshot.settings, snapshot.observed
    known, serving = weights_by_digest(observed), {it.weights for it in observed.states.values()}
    mine = ours(settings, observed)
    previous = {digest for name in mine for digest in _own(observed, f"{name}:previous")}
    return (
        not observed.scraps
        and not any(observed.cut_off(name) for name in mine)
        and not _emptied(settings, observed)
        and not _gone(settings, observed)
        and not any(it.digest in previous and known.get(it.digest) not in serving for it in _staying(observed))
        and all(
            fault(target, observed, needs_gpu(settings, observed), settings.stays) is None
            and not of_variant(target, observed, modelfile(target), None)
            for target in snapshot.wanted
        )
    )


def steps(snapshot: Snapshot, modelfile: Modelfile) -> list[Step]:
    """Return the ordered steps from observed to desired; none if nothing differs.

    Only the first is sure to be right when it is taken, with what goes ``together`` with it: a step changes what
    later ones depend on.
    """
    observed, details, wanted = snapshot.observed, snapshot.detailed, snapshot.wanted
    missing: dict[str, list[Target]] = defaultdict(list)
    for target in wanted:
        if details.weights(target.model) is None:
            missing[names.parse(target.model).key].append(target)
    if missing:
        return [
            Pull(
                model=them[0].model,
                slots=tuple(it.slot.name for it in them),
                ours=observed.digest(them[0].model) is None or observed.brought(them[0].model),
                damaged=details.damaged.get(model, ()),
            )
            for model, them in missing.items()
        ]

    held = holdings(snapshot, {details.weights(it.model) for it in wanted})
    rotations = [_to_target(snapshot, target, modelfile(target), held) for target in wanted]
    # Emptying comes last: it takes the digest with it by which a runner may be known that other slots share.
    return [
        *leftovers(snapshot, held),
        *(it for it in rotations if it),
        *_empties(snapshot, held),
    ]


def together(steps: Sequence[Step]) -> list[Step]:
    """Return the first steps of a plan that one command takes: none of them changes what the others depend on.

    Those are pulls; or slots that serve nothing yet, each on weights of its own: nothing makes way for them.
    """
    pulls = [*takewhile(lambda it: isinstance(it, Pull), steps)]
    begun: dict[str, Step] = {}
    for step in steps:
        if not isinstance(step, Rotate) or not (step.begins and step.alone) or step.state.weights in begun:
            break
        begun[step.state.weights] = step
    return (pulls or [*begun.values()] or [*steps[:1]])[:MOST_TOGETHER]


def removals(snapshot: Snapshot, wanted: list[Target]) -> list[Remove]:
    """Return the removals that are due, whatever other steps are.

    + wanted: what the slots are to hold
    """
    held = holdings(snapshot, {snapshot.detailed.weights(it.model) for it in wanted})
    return [*leftovers(snapshot, held), *_empties(snapshot, held)]


@dataclass(frozen=True)
class Held:
    """Weights by what they are for."""

    serving: dict[str, str]  # what each slot's name answers with now, by slot
    needed: set[str | None]  # what the slots are to have
    loaded: set[str | None]  # what is in memory
    staying: set[str | None]  # of that, what does not go by itself

    def idle(self, weights: str | None) -> bool:
        """Return whether no slot answers with them, nor is to."""
        return weights not in self.needed and weights not in self.serving.values()

    def by_others(self, name: str) -> set[str]:
        """Return what all slots but one answer with now."""
        return {weights for other, weights in self.serving.items() if other != name}


def holdings(snapshot: Snapshot, needed: set[str | None]) -> Held:
    """Return which weights serve, are needed, and are loaded.

    + needed: those that the slots at hand are to have
    """
    observed, details = snapshot.observed, snapshot.detailed
    known = weights_by_digest(observed, details)
    return Held(
        serving={name: it for name in ours(snapshot.settings, observed) if (it := details.weights(name))},
        needed=needed,
        loaded={known.get(runner.digest) for runner in observed.runners or ()},
        staying={known.get(runner.digest) for runner in _staying(observed)},
    )


def ours(settings: Settings, observed: Observed) -> list[str]:
    """Return the names of the slots: of those that are declared and of those that a host has."""
    return list(dict.fromkeys([*(slot.name for slot in settings.slots), *observed.states]))


def _changed(observed: Observed) -> dict[str, SlotState]:
    """Return the states of slots whose name was changed or removed by hand."""
    return {name: state for name, state in observed.states.items() if state.variant not in observed.digests(name)}


def _emptied(settings: Settings, observed: Observed) -> list[str]:
    return [
        slot.name
        for slot in settings.slots
        if slot.model == EMPTY and (slot.name in observed.states or observed.digest(slot.name))
    ]


def _gone(settings: Settings, observed: Observed) -> list[str]:
    """Return the slots that are not declared any more, and whose name was removed by hand."""
    return [name for name in undeclared(settings, observed) if not observed.digest(name)]


def leftovers(snapshot: Snapshot, held: Held) -> list[Remove]:
    """Return the removals of what interrupted rotations and manual changes left."""
    observed, details = snapshot.observed, snapshot.detailed
    removals: list[Remove] = []
    loaded = {it.digest for it in _staying(observed)}
    for name in ours(snapshot.settings, observed):
        idle = {
            it: weights
            for tag in TAGS[1:]
            if (weights := details.weights(it := f"{name}:{tag}")) and held.idle(weights)
        }
        if observed.cut_off(name):
            candidate = f"{name}:current"
            why = f"put {candidate} back, its rotation was interrupted"
            removals.append(Remove(why, unload=candidate if candidate in idle else None, put_back=name))
        elif unload := next((it for it in idle if _own(observed, it) & loaded), None):
            # What a rotation that died after its switch left in memory. Under another name it is somebody else's.
            removals.append(Remove(f"unload {unload}, no slot uses it", unload=unload))
    for name, state in _changed(observed).items():
        left = held.idle(state.weights) and state.weights in held.staying
        # Where NAME:previous has them, the loop above has seen to it.
        if left and details.weights(state.model) == state.weights != details.weights(f"{name}:previous"):
            why = f"unload {state.model}, no slot uses it: {name} was changed by hand"
            removals.append(Remove(why, unload=state.model))
    for name in _gone(snapshot.settings, observed):
        # Else each warm-up would wait for it, and fail. What was made for it has no other record.
        made = {it.variant for it in (observed.states.get(name), observed.previous.get(name)) if it}
        left_over = tuple(it for tag in TAGS[1:] if observed.digests(it := f"{name}:{tag}") & made)
        why = f"forget slot {name}: it is not declared, and its name is gone"
        removals.append(Remove(why, delete=left_over, forget=name))
    if observed.scraps and not removals:  # each removal clears them away
        more = f" and {len(observed.scraps) - 1} more" if observed.scraps[1:] else ""
        removals.append(Remove(f"remove {observed.scraps[0]}{more}, left by a write that was cut off"))
    return removals


def _staying(observed: Observed) -> list[Runner]:
    """Return what is in memory, but for what goes when it has answered somebody to the end."""
    return [it for it in observed.runners or () if not observed.leaves(it)]


def _own(observed: Observed, tagged: str) -> frozenset[str]:
    """Return the digests by which a slot's name alone may be loaded: its own, and that of its runner before."""
    own, state = observed.digests(tagged), observed.previous.get(tagged.removesuffix(":previous"))
    if state is None or state.variant not in own:
        return own
    return (own | {state.loaded}) - observed.digests(state.model)


def _empties(snapshot: Snapshot, held: Held) -> list[Remove]:
    observed = snapshot.observed
    removals: list[Remove] = []
    for name in _emptied(snapshot.settings, observed):
        still = {*held.needed, *held.by_others(name), None}
        removals.append(
            Remove(
                f"slot {name}: empty it",
                unload=f"{name}:latest" if held.serving.get(name) not in still else None,
                delete=tuple(it for tag in TAGS if observed.digest(it := f"{name}:{tag}")),
                forget=name,
            )
        )
    return removals


def _to_target(snapshot: Snapshot, target: Target, modelfile: str, held: Held) -> Rotate | None:
    observed, details = snapshot.observed, snapshot.detailed
    differences = of_variant(target, observed, modelfile, details)
    if not differences:
        return None
    base, weights = observed.digest(target.model), details.weights(target.model)
    assert base is not None
    assert weights is not None
    key = names.parse(target.model).key
    state = SlotState(
        model=target.model,
        modelfile=sha256(modelfile.encode()).hexdigest(),
        base=base,
        weights=weights,
        context=context(target, details),
        brought=observed.bases[key].isoformat() if observed.brought(target.model) else "",
        asks=asks(target, details),
        gpu=lies(target, details.shown[key]) or "",
    )
    room = fits(snapshot, target.model, state.context, in_gpu=not state.gpu, said=target.slot.runner)
    return rotation(snapshot, target, modelfile, state, held, room, differences[0][0])


def rotation(
    snapshot: Snapshot, target: Target, modelfile: str, state: SlotState, held: Held, room: bool, why: str
) -> Rotate:
    """Return the step that switches a slot to its candidate.

    + modelfile, state, why: of the step
    + held: what the host's weights are for
    + room: there is memory for the new weights beside all that is loaded
    """
    new, old, others = state.weights, held.serving.get(target.slot.name), held.by_others(target.slot.name)
    known = weights_by_digest(snapshot.observed, snapshot.detailed)
    return Rotate(
        target=target,
        modelfile=modelfile,
        state=state,
        known=tuple(it for it, weights in known.items() if it and weights == new),
        make_room=(not room and old in held.loaded and old not in {*others, new, None} and new not in held.loaded),
        unload_old=old is not None and old not in {*held.needed, *others, new},
        alone=new not in {*others, old},
        begins=old is None,
        why=why,
    )

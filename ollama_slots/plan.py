"""What is declared + what a host has -> the ordered steps between the two. Pure: the thinking is here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from ollama_slots import names
from ollama_slots.found import Details, Found, SlotState
from ollama_slots.memory import fits
from ollama_slots.residency import fault, weights_by_digest
from ollama_slots.settings import EMPTY, Settings
from ollama_slots.targets import Target, context, targets

MODELFILES = "/etc/ollama/modelfiles"


@dataclass(frozen=True)
class Pull:
    """A base is not there, or its weights are not."""

    model: str
    slots: tuple[str, ...]  # the slots that wait for it

    def __str__(self) -> str:
        return f"pull {self.model}, for slot {' and '.join(self.slots)}"


@dataclass(frozen=True)
class Remove:
    """Something of ours is to go: from memory, from the engine's models, and as a slot."""

    why: str
    unload: str | None = None  # a model whose runner is to end; ending goes by weights
    delete: tuple[str, ...] = ()
    forget: str | None = None  # a slot's name, whose state and Modelfile go

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True)
class Rotate:
    """A slot's variant is to be made, and to take the slot's name once it is proven. See host/rotate.sh."""

    target: Target
    modelfile: str
    state: SlotState  # as it will be, but for the digests that come of it
    known: tuple[str, ...]  # digests under which the new weights may be loaded already
    make_room: bool
    unload_old: bool
    alone: bool
    why: str

    def __str__(self) -> str:
        room = ", the old one unloaded first: both do not fit in GPU memory" if self.make_room else ""
        model, tokens = self.target.model, self.state.context
        return f"slot {self.target.slot.name}: {model} at {tokens} tokens, {self.why}{room}"


Step = Pull | Remove | Rotate
Render = Callable[[Target], str]


def questions(settings: Settings, found: Found) -> list[str]:
    """The models whose details the steps depend on: the bases, all that is ours, and all that is loaded."""
    loaded = {runner.digest for runner in found.runners or ()}
    ours = {f"{name}:{tag}" for name in _ours(settings, found) for tag in ("latest", "next", "previous")}
    asked = [target.model for target in targets(settings, found)]
    asked += sorted(name for name in ours if found.digest(name))
    asked += sorted(it.name for it in (found.listed or {}).values() if it.digest in loaded)
    return list({names.parse(name).key: name for name in asked}.values())


def settled(settings: Settings, wanted: list[Target], found: Found, render: Render) -> bool:
    """Whether the host is as declared, as far as that can be told without asking for details."""
    known, serving = weights_by_digest(found), {it.weights for it in found.states.values()}
    previous = {found.digest(f"{name}:previous") for name in _ours(settings, found)}
    return (
        not _candidates(settings, found)
        and not _emptied(settings, found)
        and not any(it.digest in previous and known.get(it.digest) not in serving for it in found.runners or ())
        and all(
            fault(target, found, needs_gpu=False) is None
            and _difference(target, found, render(target), None) is None
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
        return [Pull(them[0].model, tuple(it.slot.name for it in them)) for them in missing.values()]

    held = _held(settings, wanted, found, details)
    rotations = [_rotation(settings, target, found, details, render(target), held) for target in wanted]
    # Emptying comes last: it takes the digest with it by which a runner may be known that other slots share.
    return [
        *_leftovers(settings, found, details, held),
        *(it for it in rotations if it),
        *_empties(settings, found, held),
    ]


@dataclass(frozen=True)
class _Held:
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


def _held(settings: Settings, wanted: list[Target], found: Found, details: Details) -> _Held:
    known = weights_by_digest(found, details)
    return _Held(
        serving={name: it for name in _ours(settings, found) if (it := details.weights(name))},
        needed={details.weights(target.model) for target in wanted},
        loaded={known.get(runner.digest) for runner in found.runners or ()},
    )


def _ours(settings: Settings, found: Found) -> list[str]:
    return list(dict.fromkeys([*(slot.name for slot in settings.slots), *found.states]))


def _candidates(settings: Settings, found: Found) -> list[str]:
    """What a killed rotation left behind."""
    return [f"{name}:next" for name in _ours(settings, found) if found.digest(f"{name}:next")]


def _emptied(settings: Settings, found: Found) -> list[str]:
    return [
        slot.name
        for slot in settings.slots
        if slot.model == EMPTY and (slot.name in found.states or found.digest(slot.name))
    ]


def _leftovers(settings: Settings, found: Found, details: Details, held: _Held) -> list[Step]:
    removals: list[Step] = []
    for name in _candidates(settings, found):
        unload = name if held.idle(details.weights(name)) else None
        removals.append(Remove(f"remove {name}, left behind", unload=unload, delete=(name,)))
    for name in (f"{name}:previous" for name in _ours(settings, found)):
        # What a rotation that was killed after its switch left in memory.
        weights = details.weights(name) if found.digest(name) else None
        if weights and weights in held.loaded and held.idle(weights):
            removals.append(Remove(f"unload {name}, no slot uses it", unload=name))
    return removals


def _empties(settings: Settings, found: Found, held: _Held) -> list[Step]:
    removals: list[Step] = []
    for name in _emptied(settings, found):
        still = {*held.needed, *held.by_others(name), None}
        removals.append(
            Remove(
                f"slot {name}: empty it",
                unload=f"{name}:latest" if held.serving.get(name) not in still else None,
                delete=tuple(f"{name}:{tag}" for tag in ("latest", "previous") if found.digest(f"{name}:{tag}")),
                forget=name,
            )
        )
    return removals


def _difference(target: Target, found: Found, modelfile: str, details: Details | None) -> str | None:
    """Why a slot's variant is to be made, in words, or None."""
    name, state = target.slot.name, found.states.get(target.slot.name)
    if found.digest(name) is None:
        return "made"
    if state is None:
        return "made again: its state is unknown"
    text = sha256(modelfile.encode()).hexdigest()
    checks = {
        f"in place of {state.model}": names.same(state.model, target.model),
        "made again: its base moved": state.base == found.digest(target.model),
        "made again: it was changed by hand": state.variant == found.digest(name),
        "made again: its Modelfile changed": state.modelfile == text,
        "made again: its state is wrong": details is None or state.weights == details.weights(target.model),
        "made again: its window changed": details is None or state.context == context(target, details),
        "its Modelfile written again": found.files.get(f"{MODELFILES}/{name}.Modelfile") == text,
    }
    return next((why for why, fine in checks.items() if not fine), None)


def _rotation(
    settings: Settings, target: Target, found: Found, details: Details, modelfile: str, held: _Held
) -> Rotate | None:
    why = _difference(target, found, modelfile, details)
    if why is None:
        return None
    name = target.slot.name
    base, new, old = found.digest(target.model), details.weights(target.model), held.serving.get(name)
    assert base is not None
    assert new is not None
    others, expected = held.by_others(name), context(target, details)
    by_digest = weights_by_digest(found, details)
    return Rotate(
        target=target,
        modelfile=modelfile,
        state=SlotState(
            model=target.model,
            modelfile=sha256(modelfile.encode()).hexdigest(),
            base=base,
            weights=new,
            context=expected,
        ),
        known=tuple(digest for digest, weights in by_digest.items() if digest and weights == new),
        make_room=(
            old in held.loaded
            and old not in {*others, new, None}
            and new not in held.loaded
            and not fits(settings, target.model, expected, found, details)
        ),
        unload_old=old is not None and old not in {*held.needed, *others, new},
        alone=new not in {*others, old},
        why=why,
    )

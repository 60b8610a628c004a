"""What is declared + what a host has -> the ordered steps between the two. Pure: the thinking is here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from ollama_slots import names
from ollama_slots.found import Details, Found, SlotState
from ollama_slots.memory import fits
from ollama_slots.residency import fault
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
    state: SlotState  # as it will be, but for the variant's digest
    make_room: bool
    unload_old: bool
    alone: bool
    why: str

    def __str__(self) -> str:
        room = ", the old one unloaded first: both do not fit in GPU memory" if self.make_room else ""
        return (
            f"slot {self.target.slot.name}: {self.why}, {self.target.model} at {self.state.context} tokens{room}"
        )


Step = Pull | Remove | Rotate
Render = Callable[[Target], str]


def leftovers(settings: Settings, found: Found) -> list[str]:
    """Candidates that a killed run left behind, as names."""
    ours = [*(slot.name for slot in settings.slots), *found.states]
    return sorted({f"{name}:next" for name in ours if found.digest(f"{name}:next")})


def questions(settings: Settings, found: Found) -> list[str]:
    """The models whose details the steps depend on: the bases, all that is ours, and all that is loaded."""
    loaded = {runner.digest for runner in found.runners or ()}
    listed = found.listed or {}
    ours = {f"{name}:{tag}" for name in _ours(settings, found) for tag in ("latest", "next", "previous")}
    asked = [target.model for target in targets(settings, found)]
    asked += sorted(name for name in ours if found.digest(name))
    asked += sorted(it.name for it in listed.values() if it.digest in loaded)
    return list({names.parse(name).key: name for name in asked}.values())


def settled(settings: Settings, wanted: list[Target], found: Found, render: Render) -> bool:
    """Whether the host is as declared, as far as that can be told without asking for details."""
    previous = {found.digest(f"{name}:previous") for name in _ours(settings, found)}
    return (
        not leftovers(settings, found)
        and not _emptied(settings, found)
        and not any(runner.digest in previous for runner in found.runners or ())
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

    planned: list[Step] = []
    serving = {name: weights for name in _ours(settings, found) if (weights := _weights(details, name))}
    needed = {details.weights(target.model) for target in wanted}
    for name in leftovers(settings, found):
        idle = details.weights(name) not in needed | set(serving.values())
        planned.append(Remove(f"remove {name}, left behind", unload=name if idle else None, delete=(name,)))
    for name in _emptied(settings, found):
        planned.append(
            Remove(
                f"slot {name}: empty it",
                unload=f"{name}:latest" if serving.get(name) not in {*needed, None} else None,
                delete=tuple(f"{name}:{tag}" for tag in ("latest", "previous") if found.digest(f"{name}:{tag}")),
                forget=name,
            )
        )
    for target in wanted:
        rotation = _rotation(settings, target, found, details, render(target), serving, needed)
        if rotation:
            planned.append(rotation)
    if not planned:
        planned = _orphans(settings, found, details, needed)
    return planned


def _ours(settings: Settings, found: Found) -> list[str]:
    return list(dict.fromkeys([*(slot.name for slot in settings.slots), *found.states]))


def _weights(details: Details | None, model: str) -> str | None:
    return details.weights(model) if details else None


def _emptied(settings: Settings, found: Found) -> list[str]:
    return [
        slot.name
        for slot in settings.slots
        if slot.model == EMPTY and (slot.name in found.states or found.digest(slot.name))
    ]


def _difference(target: Target, found: Found, modelfile: str, details: Details | None) -> str | None:
    """Why a slot's variant is to be made, in words, or None."""
    name, state = target.slot.name, found.states.get(target.slot.name)
    text = sha256(modelfile.encode()).hexdigest()
    checks = {
        "make it": found.digest(name) is not None,
        "make it again, its state is unknown": state is not None,
    }
    for why, fine in checks.items():
        if not fine:
            return why
    assert state is not None
    checks = {
        f"replace {state.model}": names.same(state.model, target.model),
        "make it again, its base moved": state.base == found.digest(target.model),
        "make it again, it was changed by hand": state.variant == found.digest(name),
        "make it again, its Modelfile changed": state.modelfile == text,
        "write its Modelfile again": found.files.get(f"{MODELFILES}/{name}.Modelfile") == text,
    }
    if details:
        checks["make it again, its window changed"] = state.context == context(target, details)
    return next((why for why, fine in checks.items() if not fine), None)


def _rotation(
    settings: Settings,
    target: Target,
    found: Found,
    details: Details,
    modelfile: str,
    serving: dict[str, str],
    needed: Iterable[str | None],
) -> Rotate | None:
    why = _difference(target, found, modelfile, details)
    if why is None:
        return None
    name = target.slot.name
    new, old = details.weights(target.model), serving.get(name)
    assert new is not None
    others = {weights for other, weights in serving.items() if other != name}
    runner = next((it for it in found.runners or () if it.digest == found.digest(name)), None)
    loaded = {it.digest for it in found.runners or ()}
    new_is_loaded = any(
        _weights(details, it.name) == new for it in (found.listed or {}).values() if it.digest in loaded
    )
    base = found.digest(target.model)
    assert base is not None
    expected = context(target, details)
    return Rotate(
        target=target,
        modelfile=modelfile,
        state=SlotState(
            model=target.model,
            modelfile=sha256(modelfile.encode()).hexdigest(),
            base=base,
            weights=new,
            context=expected,
            variant="",
        ),
        make_room=(
            runner is not None
            and old != new
            and old not in others
            and not new_is_loaded
            and not fits(settings, target.model, expected, found, details)
        ),
        unload_old=old is not None and old not in {*needed, *others, new},
        alone=new not in {*others, old},
        why=why,
    )


def _orphans(settings: Settings, found: Found, details: Details, needed: set[str | None]) -> list[Step]:
    """Weights that a killed rotation left in memory: loaded as something of ours that no slot uses any more."""
    ours = {found.digest(f"{name}:previous"): f"{name}:previous" for name in _ours(settings, found)}
    removals: list[Step] = []
    for runner in found.runners or ():
        name = ours.get(runner.digest)
        if name and details.weights(name) not in needed:
            removals.append(Remove(f"unload {name}, no slot uses it", unload=name))
    return removals

"""List undeclared models and slots of ours: what can be removed, and what stays and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ollama_slots.core import names
from ollama_slots.core.observed import Observed
from ollama_slots.core.plan import TAGS, ours
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Remove
from ollama_slots.core.stored import Stored
from ollama_slots.core.targets import targets, undeclared


@dataclass(frozen=True)
class Row:
    """A row of the list: something undeclared of ours."""

    name: str
    why: str
    frees: int = 0  # bytes of the blobs that are no model's any more, once it and all before it are gone
    step: Remove | None = None  # None: it stays


@dataclass(frozen=True)
class _Thing:
    name: str
    models: tuple[str, ...]  # its names in Ollama, those that are there
    why: str
    stays: str | None = None  # why it does, where it does
    forget: str | None = None  # whose files go with it: a slot's name
    slot: bool = True  # else a base

    @property
    def keys(self) -> set[str]:
        return {names.parse(model).key for model in self.models}


def listing(settings: Settings, observed: Observed, stored: Stored) -> list[Row]:
    """Return what can be removed, in order, and then what stays.

    Variants go before the bases that they are made of. What somebody else made or pulled is in no row, or in one
    that says that it stays.
    Raises ValueError on a host whose rotation was cut off, until a deploy has made that good.
    """
    if died := [name for name in ours(settings, observed) if observed.cut_off(name)]:
        raise ValueError(f"the rotation of {', '.join(died)} was interrupted: deploy first")
    things = [*_slots(settings, observed), *_previous(settings, observed), *_bases(settings, observed)]
    staying = [Row(it.name, it.stays) for it in things if it.stays]
    going = [it for it in things if not it.stays]
    while needed := next(((it, child) for it in going if (child := _child(it, going, stored))), None):
        thing, child = needed
        going.remove(thing)
        staying.append(Row(thing.name, f"{child} is made from it"))
    left = list(_unfinished(settings, observed, stored))
    rows = [*_rows(settings, observed, stored, going), *(row for row in left if row.step)]
    return [*rows, *staying, *(row for row in left if not row.step)]


def lines(settings: Settings, rows: list[Row]) -> list[str]:
    """Return the list as people read it: name, bytes and why."""
    can_go = [row for row in rows if row.step]
    word = "to remove" if settings.prune else "can go: --data prune=true removes them"
    table = [("name", "bytes", "why")]
    table += [(row.name, str(row.frees) if row.step else "stays", row.why) for row in rows]
    if can_go:
        table.append(("total", str(sum(row.frees for row in can_go)), f"{len(can_go)} {word}"))
    width, right = (max(len(row[column]) for row in table) for column in (0, 1))
    return [f"{name:<{width}}  {size:>{right}}  {why}" for name, size, why in table]


def _slots(settings: Settings, observed: Observed) -> Iterator[_Thing]:
    """Yield slots that were renamed or removed from the data, each with all its names."""
    for name in undeclared(settings, observed):
        models = tuple(it for tag in TAGS if observed.digest(it := f"{name}:{tag}"))
        yield _Thing(name, models, "no slot has this name", stays=_strange(name, models, observed), forget=name)


def _previous(settings: Settings, observed: Observed) -> Iterator[_Thing]:
    """Yield what declared slots had before their last rotation."""
    for slot in settings.slots:
        model = f"{slot.name}:previous"
        if slot.name not in observed.states or observed.digest(model) in (None, observed.digest(slot.name)):
            continue
        stays = _strange(slot.name, (model,), observed)
        if not settings.prune_previous:
            stays = stays or "kept for a rollback; --data prune_previous=true removes it too"
        yield _Thing(model, (model,), "of an earlier rotation", stays=stays, forget=f"previous/{slot.name}")


def _strange(name: str, models: tuple[str, ...], observed: Observed) -> str | None:
    """Return that one of a slot's names was changed by someone else, in words."""
    states = (observed.states.get(name), observed.previous.get(name))
    made = {state.variant for state in states if state}
    strange = next((model for model in models if not observed.digests(model) & made), None)
    return f"{strange} was changed by someone else" if strange else None


def _bases(settings: Settings, observed: Observed) -> Iterator[_Thing]:
    """Yield bases that a deploy pulled, and that no slot has as its base."""
    declared = {names.parse(target.model).key for target in targets(settings, observed)}
    for key in observed.bases:
        listed = (observed.listed or {}).get(key)
        if listed is None or key in declared:
            continue
        stays = None if observed.brought(listed.name) else "someone else has pulled it since"
        yield _Thing(listed.name, (listed.name,), "no slot has it as its base", stays=stays, slot=False)


def _child(thing: _Thing, going: list[_Thing], stored: Stored) -> str | None:
    """Return the first model that stays and was made from this one."""
    gone = {key for it in going for key in it.keys}
    left = (it for key, it in stored.models.items() if key not in gone)
    made = [it.name for it in left if it.parents & thing.keys]
    return min(made, key=lambda name: (name.endswith(":current"), name), default=None)  # NAME speaks for both


def _rows(settings: Settings, observed: Observed, stored: Stored, going: list[_Thing]) -> list[Row]:
    """Return the removable rows in order, with the bytes that each frees."""
    serving = {names.parse(name).key for name in (*(slot.name for slot in settings.slots), *observed.states)}
    rows, left = [], dict(stored.models)
    for thing in going:
        made = [it for model in thing.models if (it := left.pop(names.parse(model).key, None))]
        needed = {digest for it in left.values() for digest in it.blobs}
        freed = {digest: size for it in made for digest, size in it.blobs.items() if digest not in needed}
        # A slot's runner ends unless another slot answers with it. A base's may be that of any name which shares
        # its weights, also of somebody else's.
        used = {it.weights for key, it in left.items() if key in serving or not thing.slot}
        unload = thing.models[0] if made and made[0].weights not in used else None
        why = f"remove {thing.name}: {thing.why}"
        step = Remove(why, unload=unload, delete=thing.models, forget=thing.forget)
        rows.append(Row(thing.name, thing.why, frees=sum(freed.values()), step=step))
    return rows


def _unfinished(settings: Settings, observed: Observed, stored: Stored) -> Iterator[Row]:
    """Yield unfinished pulls of models that no slot has as its base."""
    declared = {names.parse(target.model).key for target in targets(settings, observed)}
    used = {digest for it in stored.models.values() for digest in it.blobs}
    blobs = [it for it in stored.unfinished if it.blob not in used and names.parse(it.model).key not in declared]
    for model in dict.fromkeys(it.model for it in blobs):
        ours = [it for it in blobs if it.model == model and it.ours]
        if len(ours) < sum(it.model == model for it in blobs):
            yield Row(model, "its pull is running, or someone else resumed it")
        if ours:
            why = "its pull is unfinished, and no slot has it as its base"
            step = Remove(f"remove {model}: {why}", discard=tuple(it.blob for it in ours))
            yield Row(model, why, frees=sum(it.size for it in ours), step=step)

"""Report the drift of a host: every difference between desired and observed.

It judges by what a deploy goes by, so that a status with nothing to report and a deploy with nothing to do are the
same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ollama_slots.core import environment, names, places, plan, units, versions
from ollama_slots.core.differences import Difference, differing, of_variant, short
from ollama_slots.core.held import held, programs
from ollama_slots.core.observed import Observed
from ollama_slots.core.published import Answers, Published
from ollama_slots.core.rendered import Files, Modelfile, Rendered, ServiceFiles
from ollama_slots.core.residency import EXPIRES, doubtful, faults, misheld
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Remove
from ollama_slots.core.targets import Target, lost, targets

SLOT = "slot "  # and its name: the subject of a difference of a slot


@dataclass(frozen=True)
class Status:
    """The slots of a host and its drift; ``faults`` say why a slot is not resident."""

    snapshot: Snapshot
    faults: list[tuple[Target, str | None]]
    differences: list[Difference]

    def to_json(self) -> dict[str, Any]:
        """Return what ``pyinfra --json`` prints: windows in tokens, memory in bytes, null without a runner."""
        it = self.snapshot
        slots = held(it.settings, it.observed, self.faults, unlike(self.differences), it.details)
        return {"slots": programs(slots), "differences": [it._asdict() for it in self.differences]}


def unlike(differences: list[Difference]) -> set[str]:
    """Return the names of the slots that differences are of."""
    return {it.what.removeprefix(SLOT) for it in differences if it.what.startswith(SLOT)}


def unsure(snapshot: Snapshot, modelfile: Modelfile) -> bool:
    """Return whether details have to be asked (``plan.questions``) before anything is said of the slots."""
    if _silent(snapshot.observed):
        return False
    if _refused(snapshot):
        return True
    return not plan.settled(snapshot, modelfile) or doubtful(snapshot.settings, snapshot.observed)


def status(snapshot: Snapshot, rendered: Rendered) -> Status:
    """Return the status of a host.

    + snapshot: without details where ``unsure`` says that they are not needed
    """
    observed = snapshot.observed
    if observed.lacks:
        needed = Difference("the host", "its requirements", f"that it {observed.lacks}")
        return Status(snapshot, [], [needed])
    return Status(
        snapshot,
        _faults(snapshot),
        [
            *service(snapshot.settings, observed, rendered.service),
            *slots(snapshot, rendered.modelfile),
            *warm_up(observed, rendered.warm_up),
            *watch(snapshot.settings, observed, rendered.watch),
        ],
    )


def service(settings: Settings, observed: Observed, ours: ServiceFiles) -> list[Difference]:
    """Return the differences that the service operation would remove, or refuse."""
    name, unit = observed.unit, observed.service
    differences = []
    if unit.get("LoadState") != "loaded":
        differences.append(Difference(name, "loaded", unit.get("LoadState", "unknown")))
    if unit.get("UnitFileState") == "disabled":
        differences.append(Difference(name, "enabled", "disabled"))
    differences += _files(name, ours.files, observed)
    if ours.outdated in observed.files:
        differences.append(Difference(ours.outdated, "no such file", "the file of an earlier version"))
    for it in environment.conflicts(settings, observed, ours):
        differences.append(Difference(it.where, f"{it.name}={it.wanted} to hold", it.found))
    for variable in environment.lacking(settings, observed).items():
        lacks = dict([variable])
        has = environment.words(environment.has(observed, lacks)) or "none"
        has = "no process" if observed.environ is None else has
        differences.append(Difference("Ollama's process", environment.words(lacks), has))
    if versions.refusal(observed.version):
        differences.append(Difference("Ollama", f"version {versions.RANGE}", f"{observed.version}: update it"))
    if _silent(observed):
        differences.append(Difference("Ollama", f"an answer{observed.where}", "none: its slots are unknown"))
    return differences + [it.difference for it in places.troubles(settings, observed)]


def slots(snapshot: Snapshot, modelfile: Modelfile) -> list[Difference]:
    """Return the differences that the models operation and the warm-up would remove, or refuse."""
    observed, details = snapshot.observed, snapshot.details
    if _silent(observed):
        return []  # reported already
    differences = _refused(snapshot)
    wanted = snapshot.declared if differences else snapshot.wanted
    fault = {target.slot.name: why for target, why in _faults(snapshot)}
    for target in wanted:
        name, text = target.slot.name, modelfile(target)
        # A base that is not there is pulled before anything else is looked at.
        missing = details is not None and details.weights(target.model) is None
        differs = [it for _, it in of_variant(target, observed, text, None if missing else details)]
        if missing and observed.digest(target.model):
            differs.append(Difference(f"slot {name}", f"the weights of {target.model} on the disk", "none"))
        why = fault[name]
        if why and why.startswith(EXPIRES):
            differs.append(Difference(f"slot {name}", "to stay loaded", f"that it {why}"))
        elif why and not misheld(target, observed):
            differs.append(Difference(f"slot {name}", "resident as declared", why))
        differences += differs
    differences += [
        Difference(f"slot {it.name}", "a state that says what it holds", f"none: set slot{it.number}_model")
        for it in lost(snapshot.settings, observed)
    ]
    removals = plan.removals(snapshot, wanted) if details else []
    return differences + [_leftover(it, observed) for it in removals]


def moved(settings: Settings, observed: Observed, answers: Answers) -> list[Difference]:
    """Return the bases that have changed in their registries. A deploy keeps what a host has."""
    differences = []
    for target in targets(settings, observed):
        answer, has = answers.get(names.parse(target.model).key), observed.digest(target.model)
        if not isinstance(answer, Published) or not has:
            continue
        if not observed.digests(target.model) & {answer.digest, answer.written}:
            wanted = f"{target.model} as {settings.registry} has it now, {short(answer.digest)}"
            # The engine cannot pull it from a mirror, under its own name.
            do = "remove" if settings.model_registry else "pull"
            other = f"{short(has)}: {do} it on the host, and the next deploy takes it"
            differences.append(Difference(f"slot {target.slot.name}", wanted, other))
    return differences


def warm_up(observed: Observed, files: Files) -> list[Difference]:
    """Return the differences that the warm-up operation would remove."""
    return _runs(units.warm_up(observed.unit), files, observed)


def watch(settings: Settings, observed: Observed, files: Files) -> list[Difference]:
    """Return the differences of the watch, which the same operation would remove."""
    if settings.watch == "off":
        ours = watched(observed)
        return [Difference(ours, 'nothing of it, by watch = "off"', "the watch")] if ours else []
    differences = _runs(settings.watch_timer, files, observed)
    if observed.watch_fails:
        name = units.watcher(observed.unit)
        differences.append(Difference(name, "looks that succeed", f"one that failed: journalctl -u {name}"))
    return differences


def watched(observed: Observed) -> str:
    """Return what there is of a watch on a host: a file, or its timer; nothing, where there is no watch."""
    timer = units.watch_timer(observed.unit)
    there = [path for path in observed.files if path.endswith((timer, *units.watches(observed.unit)))]
    loaded = observed.watch_timer.get("LoadState", "not-found") != "not-found"
    return min(there, default=timer if loaded else "")


def _runs(name: str, files: Files, observed: Observed) -> list[Difference]:
    unit, differences = observed.units.get(name, {}), []
    for key, state in (("UnitFileState", "enabled"), ("ActiveState", "active")):
        if unit.get(key) != state:
            differences.append(Difference(name, state, unit.get(key) or "nothing"))
    return differences + _files(name, files, observed)


def _files(unit: str, files: Files, observed: Observed) -> list[Difference]:
    differences = [
        Difference(path, "content as declared", "other content" if path in observed.files else "no such file")
        for path in differing(files, observed)
    ]
    if observed.units.get(unit, {}).get("NeedDaemonReload") == "yes":
        differences.append(Difference(unit, "unit files as systemd has read them", "changed ones"))
    return differences


def _faults(snapshot: Snapshot) -> list[tuple[Target, str | None]]:
    settings, observed = snapshot.settings, snapshot.observed
    return faults(settings, observed, snapshot.details if doubtful(settings, observed) else None)


def _silent(observed: Observed) -> bool:
    return observed.version is None or observed.listed is None or observed.runners is None


def _refused(snapshot: Snapshot) -> list[Difference]:
    try:
        snapshot.wanted  # noqa: B018 (it raises)
    except ValueError as error:
        return [Difference("shared_base", "no two slots with the same weights", f"that {error}")]
    return []


def _leftover(it: Remove, observed: Observed) -> Difference:
    if it.put_back:
        return Difference(f"slot {it.put_back}", "no rotation in progress", "an interrupted one")
    if it.forget:
        state = observed.states.get(it.forget)
        return Difference(
            f"slot {it.forget}", "no model", state.model if state else f"a model of the name {it.forget}"
        )
    if not it.unload:
        return Difference("the host", "whole writes", f"{', '.join(observed.scraps)}, of one that was cut off")
    return Difference(f"{it.unload}", "not in memory (no slot uses it)", "in memory")

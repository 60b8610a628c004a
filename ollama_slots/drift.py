"""All that differs between what is declared and what a host was found to have.

Pure, but for the templates that say what the files are to be. It judges by what a deploy goes by, so that a status
with nothing to tell and a deploy with nothing to do are the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ollama_slots import environment, names, plan, render, versions
from ollama_slots.difference import Difference, differing, of_variant, short
from ollama_slots.found import Details, Found
from ollama_slots.published import Answers, Published
from ollama_slots.residency import doubtful, faults, misheld, needs_gpu, residency
from ollama_slots.settings import Settings
from ollama_slots.step import Remove
from ollama_slots.targets import Target, aligned, known_weights, targets

WARM_UP = "ollama-warmup.service"


@dataclass(frozen=True)
class Status:
    """A host's slots, and all that is not as declared; ``faults`` are what keeps a slot from being resident."""

    found: Found
    details: Details | None
    faults: list[tuple[Target, str | None]]
    differences: list[Difference]

    def to_json(self) -> dict[str, Any]:
        """As ``pyinfra --json`` prints it: windows in tokens, memory in bytes, null where there is no runner."""
        slots = []
        for target, fault in self.faults:
            name, state = target.slot.name, self.found.states.get(target.slot.name)
            runner = residency(name, self.found, self.details)
            slots.append(
                {
                    "slot": target.slot.number,
                    "name": name,
                    "model": state.model if state else None,
                    "context": runner.context_length if runner else None,
                    "gpu_bytes": runner.size_vram if runner else None,
                    "resident": fault is None,
                }
            )
        return {"slots": slots, "differences": [it._asdict() for it in self.differences]}


def unsure(settings: Settings, found: Found) -> bool:
    """Whether details are to be asked (``plan.questions``) before anything is said of the slots."""
    if _silent(found):
        return False
    wanted, refused = _wanted(settings, found, None)
    return (
        bool(refused) or not plan.settled(settings, wanted, found, render.modelfile) or doubtful(settings, found)
    )


def status(settings: Settings, found: Found, details: Details | None) -> Status:
    """How a host is.

    + details: None where ``unsure`` says that they are not needed
    """
    if found.lacks:
        return Status(found, None, [], [Difference("the host", "what is needed there", f"that it {found.lacks}")])
    return Status(
        found,
        details,
        _faults(settings, found, details),
        [*service(settings, found), *slots(settings, found, details), *warm_up(settings, found)],
    )


def service(settings: Settings, found: Found) -> list[Difference]:
    """What the service operation would make good, or refuse."""
    name, unit = "ollama.service", found.units.get("ollama.service", {})
    differences = []
    if unit.get("LoadState") != "loaded":
        differences.append(Difference(name, "loaded", unit.get("LoadState", "unknown")))
    if unit.get("UnitFileState") == "disabled":
        differences.append(Difference(name, "enabled", "disabled"))
    differences += _files(name, render.service(settings), found)
    if render.OUTDATED in found.files:
        differences.append(Difference(render.OUTDATED, "no such file", "that of an earlier deploy"))
    for it in environment.conflicts(settings, found):
        differences.append(Difference(it.where, f"{it.name}={it.wanted} to hold", it.found))
    for variable in environment.lacking(settings, found).items():
        lacks = dict([variable])
        has = environment.words(environment.has(found, lacks)) or "none"
        has = "no process" if found.environ is None else has
        differences.append(Difference("Ollama's process", environment.words(lacks), has))
    if versions.refusal(found.version):
        differences.append(Difference("Ollama", f"version {versions.RANGE}", f"{found.version}: update it"))
    if _silent(found):
        differences.append(Difference("Ollama", f"an answer{found.where}", "none: its slots are unknown"))
    return differences


def slots(settings: Settings, found: Found, details: Details | None) -> list[Difference]:
    """What the models operation would make good, or refuse, and what the warm-up would load."""
    if _silent(found):
        return []  # told of already
    wanted, differences = _wanted(settings, found, details)
    fault = {target.slot.name: why for target, why in _faults(settings, found, details)}
    for target in wanted:
        name, text = target.slot.name, render.modelfile(target)
        # A base that is not there is pulled before anything else is looked at.
        missing = details is not None and details.weights(target.model) is None
        differs = [it for _, it in of_variant(target, found, text, None if missing else details)]
        if missing and found.digest(target.model):
            differs.append(Difference(f"slot {name}", f"the weights of {target.model} on the disk", "none"))
        if fault[name] and not misheld(target, found):
            differs.append(Difference(f"slot {name}", "it resident as declared", f"that {fault[name]}"))
        differences += differs
    removals = plan.removals(settings, wanted, found, details) if details else []
    return differences + [_leftover(it, found) for it in removals]


def moved(settings: Settings, found: Found, answers: Answers) -> list[Difference]:
    """The bases that their registries have otherwise by now. A deploy keeps to what a host has."""
    differences = []
    for target in targets(settings, found):
        answer, has = answers.get(names.parse(target.model).key), found.digest(target.model)
        if isinstance(answer, Published) and has and has != answer.digest:
            wanted = f"{target.model} as {settings.registry} has it now, {short(answer.digest)}"
            # The engine cannot pull it from a mirror, under its own name.
            do = "remove" if settings.model_registry else "pull"
            other = f"{short(has)}: {do} it on the host, and the next deploy takes it"
            differences.append(Difference(f"slot {target.slot.name}", wanted, other))
    return differences


def warm_up(settings: Settings, found: Found) -> list[Difference]:
    """What the warm-up operation would make good of its unit."""
    unit, differences = found.units.get(WARM_UP, {}), []
    for key, state in (("UnitFileState", "enabled"), ("ActiveState", "active")):
        if unit.get(key) != state:
            differences.append(Difference(WARM_UP, state, unit.get(key) or "nothing"))
    # Where it listens is not known before it runs, and without that the files cannot be told to differ.
    files = render.warm_up(settings, needs_gpu(settings, found), found.at) if found.at else {}
    return differences + _files(WARM_UP, files, found)


def _files(unit: str, files: dict[str, tuple[str, str]], found: Found) -> list[Difference]:
    differences = [
        Difference(path, "its content as declared", "another" if path in found.files else "no such file")
        for path in differing(files, found)
    ]
    if found.units.get(unit, {}).get("NeedDaemonReload") == "yes":
        differences.append(Difference(unit, "its files as systemd has read them", "them changed since"))
    return differences


def _faults(settings: Settings, found: Found, details: Details | None) -> list[tuple[Target, str | None]]:
    return faults(settings, found, details if doubtful(settings, found) else None)


def _silent(found: Found) -> bool:
    return found.version is None or found.listed is None or found.runners is None


def _wanted(settings: Settings, found: Found, details: Details | None) -> tuple[list[Target], list[Difference]]:
    declared = targets(settings, found)
    try:
        return aligned(settings, declared, known_weights(declared, found, details))[0], []
    except ValueError as error:
        return declared, [Difference("shared_base", "no two slots with the same weights", f"that {error}")]


def _leftover(it: Remove, found: Found) -> Difference:
    if it.put_back:
        return Difference(f"slot {it.put_back}", "no rotation under way", "one that was cut off")
    if it.forget:
        state = found.states.get(it.forget)
        return Difference(
            f"slot {it.forget}", "it empty", state.model if state else f"a model of the name {it.forget}"
        )
    return Difference(f"{it.unload}", "it out of memory, for no slot uses it", "it in memory")

"""Check, before anything is changed on any host, what would make a deploy fail."""

from __future__ import annotations

from dataclasses import replace

from ollama_slots.core import names
from ollama_slots.core.cards import GIB, room
from ollama_slots.core.gpu_memory import GB, all_fit, largest_windows, left_out, needs, stays
from ollama_slots.core.placing import Card
from ollama_slots.core.published import Missing, Published, Tensors, Unknown
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import EMPTY
from ollama_slots.core.shape import WORDS
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.targets import foreign, known_weights, undeclared

MORE_HEADS = ("how many heads its layers have", "more")
FEWER_WORDS = ("how many words its vocabulary has", "less")
FILL = "fill it with ollama-slots-mirror, or "


def refusals(snapshot: Snapshot) -> list[str]:
    """Return why a deploy would fail on this host, a line for each reason: what was expected, found, and to do.

    + snapshot: with details, and the registries' answers for each model of ``to_pull``
    """
    settings = snapshot.settings
    reasons = []
    for target in snapshot.declared:
        key = names.parse(target.model).key
        answer = snapshot.answers.get(key)
        here = key in snapshot.detailed.tensors and not isinstance(answer, Published)
        if here or isinstance(answer, Tensors):
            reasons.append(
                f"slot {target.slot.name}: expected {target.model} as a GGUF, found safetensors (for MLX) "
                f"{'on the host' if here else f'in {settings.registry}'}, whose residency cannot be proven: "
                f"choose its GGUF as slot{target.slot.number}_model"
            )
        elif isinstance(answer, Missing):
            reasons.append(
                f"slot {target.slot.name}: expected {target.model}, found no such model in {settings.registry}: "
                f"{FILL if settings.model_registry else ''}correct slot{target.slot.number}_model"
            )
    reasons += [
        f"slot {it.name}: expected no model {it.name}, found one that no deploy has made, and which emptying "
        f"the slot would remove: remove it (ollama rm {it.name}), or give the slot another slot{it.number}_name"
        for it in foreign(settings, snapshot.observed)
        if it.model == EMPTY
    ]
    if why := no_disk(snapshot, snapshot.to_pull):
        reasons.append(why)
    ahead = snapshot.foreseen
    if why := too_many(ahead):
        reasons.append(why)
    if why := no_memory(ahead):
        reasons.append(why)
    return reasons


def renamed(snapshot: Snapshot) -> list[str]:
    """Return why a slot cannot have its name, a line each: to Ollama a name in another case is the same one.

    It keeps the first spelling, and so does the slot's record: a rotation would not find what has the name.
    """
    states = snapshot.observed.states
    return [
        f"slot {it.name}: expected that name in the case that the host has it in, found {had}: "
        f'set slot{it.number}_name = "{had}"'
        for it in snapshot.settings.slots
        for had in sorted(states)
        if it.name not in states and had.lower() == it.name.lower()
    ]


def too_many(snapshot: Snapshot) -> str | None:
    """Return why Ollama would hold fewer models than all slots need, the undeclared ones too, or None."""
    settings = snapshot.settings
    known = known_weights(snapshot.declared, snapshot.observed, snapshot.details)
    wanted = {known.get(it.slot.name) or it.model for it in snapshot.declared}
    others = undeclared(settings, snapshot.observed)
    many = len(wanted.union(snapshot.observed.states[it].weights for it in others))
    if many <= settings.loaded_models:
        return None
    of_these = f" with {' and '.join(sorted(others))}, which no data declare any more," if others else ","
    return (
        f"max_loaded_models: expected {many} or more, as many models as the slots have{of_these} "
        f"found {settings.loaded_models}: raise it{', or prune (tasks/prune.py)' if others else ''}"
    )


def no_disk(snapshot: Snapshot, models: list[str]) -> str | None:
    """Return why there is too little room on the disk to pull these models, or None."""
    free, headroom = snapshot.detailed.disk_free, int(snapshot.settings.disk_headroom_gib * GIB)
    pull = snapshot.bytes_to_pull(models)
    if not pull or free is None or free >= pull + headroom:
        return None
    return (
        f"disk: expected {pull / GB:.1f} GB for {' and '.join(models)} and {headroom / GB:.1f} GB of headroom"
        f", found {free / GB:.1f} GB free where Ollama keeps its models: "
        "free some, or choose smaller models"
    )


def no_memory(ahead: Snapshot) -> str | None:
    """Return why the slots of a host do not fit into its GPU memory together, the undeclared ones too, or None.

    + ahead: the host with all that is to be pulled

    It is not judged by a card that Ollama may leave alone: its restart, before any model is made, tells.
    """
    if _to_look_again(ahead):
        return None
    cards, others = room(ahead), stays(ahead)
    these = {" and ".join(it.slot.name for it in need.slots): need.taken for need in needs(ahead)}
    wanted = [*these.values(), *others.values()]
    if not needs_gpu(ahead.settings, ahead.observed) or cards is None or all_fit(ahead, wanted, cards):
        return None
    if others and all_fit(ahead, these.values(), cards):
        advice = f"without {' and '.join(others)} they would fit: prune (tasks/prune.py)"
    elif windows := largest_windows(ahead, cards):
        advice = f"with {windows} they would fit"
    else:
        advice = "no context windows would fit: choose smaller models"
    left_over = {f"{name}, which no data declare any more,": it for name, it in others.items()}
    parts = ", ".join(f"{name} {it.held / GB:.2f}" for name, it in (these | left_over).items())
    left = max(it.left for it in wanted)
    rule = (
        f"has layers computed by the CPU unless it leaves {left / GB:.1f} GB of each free"
        if all_fit(ahead, [replace(it, left=0) for it in wanted], cards)
        else "loads a model beside others only into four fifths of what is free"
    )
    wish = sum(it.held for it in wanted)
    return f"GPU memory: expected {wish / GB:.1f} GB ({parts}), found {_found(cards)}, and Ollama {rule}: {advice}"


def _to_look_again(snapshot: Snapshot) -> bool:
    """Return whether Ollama found no GPU yet, and may find one at the restart that is to come."""
    settings, observed = snapshot.settings, snapshot.observed
    return observed.blind and not observed.expects_gpu and settings.require_gpu == "auto"


def _found(cards: list[Card]) -> str:
    """Return how much memory cards have free, in words: each, for a model lies on one where it can."""
    each = " + ".join(f"{it.free / GB:.1f}" for it in cards)
    return f"{each} GB" + (f" on {len(cards)} GPUs" if len(cards) > 1 else "")


def notices(snapshot: Snapshot) -> list[str]:
    """Return notices: what could not be checked, and what is lost already."""
    settings, observed = snapshot.settings, snapshot.observed
    lines = [
        f"slot {name}: {name}:previous is gone from Ollama's models, so there is no rollback to {state.model}: "
        "an Ollama before 0.40 does not see the names that a later one wrote"
        for name, state in observed.previous.items()
        if name in {it.slot.name for it in snapshot.declared} and not observed.digest(f"{name}:previous")
    ]
    lines += [
        f"slot {it.name}: found a model {it.name} that no deploy has made: it is {it.name}:previous from now on, "
        f"until the slot rotates again; ollama cp {it.name} ANOTHER keeps it"
        for it in foreign(settings, observed)
        if it.model != EMPTY
    ]
    lines += undeclared_stay(snapshot)
    lines += [
        f"{names.parse(key).short}: {settings.registry} cannot be queried from the control machine ({it.why}): "
        "the host's own pull decides"
        for key, it in snapshot.answers.items()
        if isinstance(it, Unknown)
    ]
    lines += _of_gpus(snapshot)
    if needs_gpu(settings, observed) and room(snapshot) is None:
        lines.append("the GPU memory is unknown, so whether the slots fit is not checked: set gpu_memory_gib")
    lines += [
        f"{model}: {which} is not known, so {more} GPU memory may be foreseen than it takes"
        for model, figures in left_out(snapshot.foreseen).items()
        for which, more in sorted({FEWER_WORDS if it == WORDS else MORE_HEADS for it in figures})
    ]
    shown = snapshot.foreseen.detailed.shown
    known = {it.model: shown.get(names.parse(it.model).key) for it in snapshot.declared}
    lines += [
        f"{model}: its architecture is unknown, so only its weights are counted"
        for model, it in known.items()
        if it and not it.model_info
    ]
    return lines


def undeclared_stay(snapshot: Snapshot) -> list[str]:
    """Return a notice for each slot that no data declare any more."""
    return [
        f"slot {name}: is not declared any more, and stays in memory until tasks/prune.py removes it"
        for name in sorted(undeclared(snapshot.settings, snapshot.observed))
    ]


def _of_gpus(snapshot: Snapshot) -> list[str]:
    settings, observed = snapshot.settings, snapshot.observed
    if settings.require_gpu != "auto":
        return []
    if _to_look_again(snapshot):
        return [
            f"nvidia-smi shows {observed.cards} GPU, of which Ollama found none when it was started: it is "
            "restarted to look again, and whether the slots fit into GPU memory is checked then"
        ]
    if observed.gpus is None and not observed.has_gpu:
        return [
            "whether Ollama found a GPU when it was started is no longer known, and nvidia-smi tells of none: "
            "slots may be on the CPU; set require_gpu"
        ]
    if observed.gpus == () and observed.cards and not observed.has_gpu:
        return [
            f"nvidia-smi shows {observed.cards} GPU, which Ollama does not use: slots are on the CPU; "
            "require_gpu = True refuses that, require_gpu = False is without this notice"
        ]
    return []


def outlook(snapshot: Snapshot) -> list[str]:
    """Return the GPU memory that each slot will hold at most, a line for each."""
    return [
        f"slot {' and '.join(it.slot.name for it in need.slots)}: {need.slots[0].model} holds "
        f"{need.held / GB:.2f} GB of GPU memory at most"
        for need in needs(snapshot.foreseen)
    ]

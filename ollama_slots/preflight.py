"""What would keep a deploy from ending well, found before anything is changed on any host. Pure."""

from __future__ import annotations

from ollama_slots import names
from ollama_slots.found import Details, Found, Listed
from ollama_slots.published import Answers, Missing, Published, Unknown
from ollama_slots.residency import needs_gpu
from ollama_slots.room import GB, GIB, fit, gpu_memory, largest_windows, needs
from ollama_slots.settings import Settings
from ollama_slots.targets import Target

FILL = "fill it with python -m ollama_slots.mirror, or "


def to_pull(wanted: list[Target], details: Details) -> list[str]:
    """The bases that are not on the host, or whose weights are not."""
    missing = {names.parse(it.model).key: it.model for it in wanted if details.weights(it.model) is None}
    return list(missing.values())


def foreseen(found: Found, details: Details, answers: Answers) -> tuple[Found, Details]:
    """The host as it will be when what its registries have is pulled."""
    published = {key: it for key, it in answers.items() if isinstance(it, Published)}
    listed = {
        key: Listed(name=names.parse(key).short, digest=it.digest, size=it.size) for key, it in published.items()
    }
    shown = {key: it.shown for key, it in published.items()}
    return (
        found.model_copy(update={"listed": (found.listed or {}) | listed}),
        details.model_copy(update={"shown": details.shown | shown}),
    )


def bytes_to_pull(models: list[str], details: Details, answers: Answers) -> int:
    """What these models have that is not on the host yet; a model that nobody can tell of counts nothing."""
    layers: dict[str, int] = {}
    for model in models:
        answer = answers.get(names.parse(model).key)
        if isinstance(answer, Published):
            layers |= answer.layers
    return sum(max(0, size - (details.blobs or {}).get(layer, 0)) for layer, size in layers.items())


def refusals(
    settings: Settings, wanted: list[Target], found: Found, details: Details, answers: Answers
) -> list[str]:
    """Why this deploy would fail on this host: a line for each reason, with what was wanted, found, and to do.

    + wanted: the slots' targets as declared, their windows not aligned yet
    + answers: of the registries, for each model of ``to_pull``
    """
    reasons = []
    for target in wanted:
        if isinstance(answers.get(names.parse(target.model).key), Missing):
            reasons.append(
                f"slot {target.slot.name}: wanted {target.model}, {settings.registry} has no such model: "
                f"{FILL if settings.model_registry else ''}correct slot{target.slot.number}_model"
            )
    models = to_pull(wanted, details)
    pull, headroom = bytes_to_pull(models, details, answers), int(settings.disk_headroom_gib * GIB)
    if pull and details.disk_free is not None and details.disk_free < pull + headroom:
        reasons.append(
            f"disk: wanted {pull / GB:.1f} GB for {' and '.join(models)} and {headroom / GB:.1f} GB of headroom, "
            f"found {details.disk_free / GB:.1f} GB free where Ollama keeps its models: "
            "free some, or choose smaller models"
        )
    found, details = foreseen(found, details, answers)
    room, these = gpu_memory(settings, found, details), needs(settings, wanted, found, details)
    if needs_gpu(settings, found) and room is not None and not fit(these, room):
        windows = largest_windows(settings, wanted, found, details, room)
        advice = f"with {windows} they would fit" if windows else "no windows would fit: choose smaller models"
        parts = ", ".join(
            f"{' and '.join(it.slot.name for it in need.slots)} {need.held / GB:.2f}" for need in these
        )
        wish = sum(it.held for it in these)
        reasons.append(
            f"GPU memory: wanted {wish / GB:.1f} GB ({parts}), found {room / GB:.1f} GB, and Ollama loads a model "
            f"beside others only into four fifths of what is free: {advice}"
        )
    return reasons


def notices(
    settings: Settings, wanted: list[Target], found: Found, details: Details, answers: Answers
) -> list[str]:
    """What could not be checked, and what is lost already."""
    lines = [
        f"slot {name}: {name}:previous is gone from Ollama's models, and with it the way back to {state.model}: "
        "an Ollama before 0.40 does not see the names that a later one wrote"
        for name, state in found.previous.items()
        if name in {it.slot.name for it in wanted} and not found.digest(f"{name}:previous")
    ]
    lines += [
        f"{names.parse(key).short}: {settings.registry} cannot be asked from here ({it.why}): "
        "the host's own pull decides"
        for key, it in answers.items()
        if isinstance(it, Unknown)
    ]
    if needs_gpu(settings, found) and gpu_memory(settings, found, details) is None:
        lines.append("the GPU memory is unknown, so whether the slots fit is not checked: gpu_memory_gib tells it")
    _, details = foreseen(found, details, answers)
    shown = {it.model: details.shown.get(names.parse(it.model).key) for it in wanted}
    lines += [
        f"{model}: its shape is unknown, so only its weights are counted"
        for model, it in shown.items()
        if it and not it.model_info
    ]
    return lines


def outlook(
    settings: Settings, wanted: list[Target], found: Found, details: Details, answers: Answers
) -> list[str]:
    """What the slots will hold of GPU memory, at the most."""
    found, details = foreseen(found, details, answers)
    return [
        f"slot {' and '.join(it.slot.name for it in need.slots)}: {need.slots[0].model} holds "
        f"{need.held / GB:.2f} GB of GPU memory at the most"
        for need in needs(settings, wanted, found, details)
    ]

"""Plan the rollback of slots to their previous variants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from ollama_slots.core import names
from ollama_slots.core.cards import room
from ollama_slots.core.differences import short
from ollama_slots.core.gpu_memory import all_fit, fits, takes
from ollama_slots.core.observed import Observed, SlotState
from ollama_slots.core.placing import Taken
from ollama_slots.core.plan import holdings, leftovers, rotation
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import Settings, Slot
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Step
from ollama_slots.core.targets import Target

COPIED = timedelta(seconds=10)  # no deploy makes a slot twice in it; a copy of a store sets the times of all names
UNKNOWN = (
    "expected to know which of its two variants is the older one, found neither a time in its states nor one of "
    "Ollama's that tells (was its store copied?): deploy the model that you want"
)


def steps(snapshot: Snapshot) -> list[Step]:
    """Return the rotations of a rollback, one a slot; none if the slots are back already.

    Raises ValueError where no slot is left that can go back, and there is one that cannot (``unable``), and where
    slots would come to evict each other: what each of them had before need not be of the same deploy.
    """
    settings, observed = snapshot.settings, snapshot.observed
    died = leftovers(snapshot, holdings(snapshot, set()))
    if died:
        return [*died]  # they may be in the place of what is gone back to
    priors = _priors(snapshot)
    # What a slot had before it went back is not what it is to have.
    ahead = {slot.name: prior for slot, prior, is_back in priors if is_back is False}
    _check_windows(settings, observed, ahead)
    held = holdings(snapshot, {prior.weights for _, prior, _ in priors})
    rotations: list[Step] = []
    stay = crowded(snapshot)
    for slot, prior, is_back in priors:
        if is_back is not False or slot.name in stay:
            continue
        beside = fits(snapshot, _previous(slot), prior.context, in_gpu=not prior.gpu)
        now = observed.states.get(slot.name)
        why = _why(now, prior) if now else "back"
        target = Target(slot, prior.model, prior.context)
        rotations.append(rotation(snapshot, target, "", prior, held, beside, why))
    if not rotations and (lines := unable(snapshot)):
        raise ValueError("; ".join(lines))
    return rotations


def unable(snapshot: Snapshot) -> list[str]:
    """Return a line for each slot that cannot go back to what it had before, or that is named and had nothing."""
    observed, stay, lines = snapshot.observed, crowded(snapshot), []
    for slot in _chosen(snapshot.settings):
        prior = _prior(slot, snapshot)
        if prior and slot.name in stay:
            lines.append(
                f"slot {slot.name}: expected room in GPU memory for {_previous(slot)}, of {prior.model}, beside "
                "what the other slots have then, found too little: deploy models that fit together"
            )
        elif prior and _is_back(slot, prior, observed) is None:
            lines.append(f"slot {slot.name}: {UNKNOWN}")
        elif not prior and (slot.name in observed.previous or snapshot.settings.rollback == slot.name):
            lines.append(
                f"slot {slot.name}: expected its previous variant, found {_found(slot, snapshot)}: "
                "deploy the model that you want"
            )
    return lines


def _found(slot: Slot, snapshot: Snapshot) -> str:
    """Return what there is in place of a slot's previous variant, in words."""
    observed, name = snapshot.observed, _previous(slot)
    known = observed.previous.get(slot.name)
    if known and known.variant in observed.digests(name) and snapshot.detailed.weights(name) is None:
        return f"{name} without its weights"
    return f"{'another' if observed.digest(name) else 'no'} {name}"


def crowded(snapshot: Snapshot) -> set[str]:
    """Return the slots that cannot go back: what they had before does not fit beside what the others have then.

    Nothing where that cannot be told, as where what they have now would not fit by the same figures.
    """
    ahead = {slot.name: prior for slot, prior, is_back in _priors(snapshot) if is_back is False}
    cards = room(snapshot)
    if cards is None or not needs_gpu(snapshot.settings, snapshot.observed):
        return set()

    def fit_with(back: Iterable[str]) -> bool:
        return all_fit(snapshot, _taken(snapshot, {name: ahead[name] for name in back}), cards)

    if fit_with(ahead) or not fit_with(()):
        return set()
    back: list[str] = []
    for name in ahead:
        if fit_with([*back, name]):
            back.append(name)
    return ahead.keys() - back


def _taken(snapshot: Snapshot, back: Mapping[str, SlotState]) -> list[Taken]:
    """Return what the slots take of GPU memory with some of them back, a runner for each set of weights."""
    taken: dict[str, Taken] = {}
    for name, now in snapshot.observed.states.items():
        then, tag = (back[name], "previous") if name in back else (now, "latest")
        key = names.parse(f"{name}:{tag}").key
        if not then.gpu and key in snapshot.detailed.shown and snapshot.observed.entry(f"{name}:{tag}"):
            it = takes(snapshot, key, then.context)
            taken[then.weights] = max(taken.get(then.weights, it), it, key=lambda it: it.held)
    return [*taken.values()]


def notices(snapshot: Snapshot) -> list[str]:
    """Return a line for each slot that has a previous variant and need not go back to it, with the reason."""
    states = snapshot.observed.states
    return [
        f"slot {slot.name}: holds the older one of its two variants already, of {states[slot.name].model}"
        for slot, _, is_back in _priors(snapshot)
        if is_back
    ]


def _priors(snapshot: Snapshot) -> list[tuple[Slot, SlotState, bool | None]]:
    """Return the chosen slots that had something before, what that is, and whether they are back, or None."""
    chosen = [(slot, _prior(slot, snapshot)) for slot in _chosen(snapshot.settings)]
    return [(slot, it, _is_back(slot, it, snapshot.observed)) for slot, it in chosen if it]


def nothing(snapshot: Snapshot) -> bool:
    """Return whether no slot that is to go back has anything to go back to."""
    return not any(_prior(slot, snapshot) for slot in _chosen(snapshot.settings))


def _why(now: SlotState, prior: SlotState) -> str:
    """Return what a slot goes back from: of all that may differ, what it had before has not."""
    if not names.same(now.model, prior.model):
        return f"back in place of {now.model}"
    base = f"its base as {short(now.base)}" if now.base != prior.base else ""
    window = f"{now.context} tokens" if now.context != prior.context else ""
    modelfile = "another Modelfile" if now.modelfile != prior.modelfile and not window else ""
    differs = " and ".join(it for it in (window, modelfile, base) if it)
    return f"back from {differs}" if differs else "back"


def _chosen(settings: Settings) -> list[Slot]:
    return [slot for slot in settings.slots if settings.rollback in ("all", slot.name)]


def _check_windows(settings: Settings, observed: Observed, priors: dict[str, SlotState]) -> None:
    """Check that slots which go back to shared weights have the same context window: they share one runner."""
    then = observed.states | priors
    for prior in priors.values() if settings.shared_base != "allow" else ():
        sharing = {name: it.context for name, it in then.items() if it.weights == prior.weights}
        if len(set(sharing.values())) > 1:
            who = " and ".join(f"{name} at {tokens} tokens" for name, tokens in sharing.items())
            raise ValueError(
                f"{who} would share the weights of {prior.model} and evict each other: roll back one slot "
                "(--data rollback=NAME), or deploy the models that you want"
            )


def _previous(slot: Slot) -> str:
    return f"{slot.name}:previous"


def _prior(slot: Slot, snapshot: Snapshot) -> SlotState | None:
    """Return the state of the previous variant, if a name still has it (NAME, if a rollback died late)."""
    observed, details = snapshot.observed, snapshot.detailed
    state = observed.previous.get(slot.name)
    for name in (_previous(slot), slot.tagged) if state else ():
        if state and state.variant in observed.digests(name) and details.weights(name) == state.weights:
            return state
    return None


def _is_back(slot: Slot, prior: SlotState, observed: Observed) -> bool | None:
    """Return whether the slot holds the older one of its two, and its state says so: twice back is once back.

    None where it is not known which one is older.
    """
    state, serving = observed.states.get(slot.name), observed.digests(slot.name)
    if state is None or state.variant not in serving:
        return False
    if prior.variant in serving:
        return True
    if state.made or prior.made:  # a state that does not say when is of an earlier deploy than one that does
        return state.made <= prior.made
    # Ollama's own times are lost where a store is copied: what has the same is a copy.
    one, other = observed.entry(slot.name), observed.entry(_previous(slot))
    if not (one and other and one.modified_at and other.modified_at):
        return None
    apart = one.modified_at - other.modified_at
    return None if abs(apart) < COPIED else apart < timedelta(0)

"""Plan the rollback of slots to their previous variants."""

from __future__ import annotations

from ollama_slots.core.gpu_memory import fits
from ollama_slots.core.observed import Observed, SlotState
from ollama_slots.core.plan import holdings, leftovers, rotation
from ollama_slots.core.settings import Settings, Slot
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Step
from ollama_slots.core.targets import Target


def steps(snapshot: Snapshot) -> list[Step]:
    """Return the rotations of a rollback, one a slot; none if the slots are back already.

    Raises ValueError where one slot is named, and there is nothing that it could go back to, and where slots
    would come to evict each other: what each of them had before need not be of the same deploy.
    """
    settings, observed = snapshot.settings, snapshot.observed
    died = leftovers(snapshot, holdings(snapshot, set()))
    if died:
        return [*died]  # they may be in the place of what is gone back to
    priors = [(slot, prior) for slot in _chosen(settings) if (prior := _prior(slot, snapshot))]
    # What a slot had before it went back is not what it is to have.
    ahead = {slot.name: prior for slot, prior in priors if not _is_back(slot, prior, observed)}
    _check_windows(settings, observed, ahead)
    held = holdings(snapshot, {prior.weights for _, prior in priors})
    rotations: list[Step] = []
    for slot, prior in priors:
        if _is_back(slot, prior, observed):
            continue
        room = fits(snapshot, _previous(slot), prior.context, in_gpu=not prior.gpu)
        now = observed.states.get(slot.name)
        why = f"back in place of {now.model}" if now else "back"
        target = Target(slot, prior.model, prior.context)
        rotations.append(rotation(snapshot, target, "", prior, held, room, why))
    return rotations


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
    if snapshot.settings.rollback == slot.name:
        other = "another" if observed.digest(_previous(slot)) else "no"
        raise ValueError(
            f"slot {slot.name}: expected its previous variant, found {other} {_previous(slot)}: "
            "deploy the model that you want"
        )
    return None


def _is_back(slot: Slot, prior: SlotState, observed: Observed) -> bool:
    """Return whether the slot holds the older one of its two, and its state says so: twice back is once back."""
    state, serving = observed.states.get(slot.name), observed.digests(slot.name)
    if state is None or state.variant not in serving:
        return False
    if prior.variant in serving:
        return True
    if state.made and prior.made:
        return state.made <= prior.made
    # Of an earlier deploy. Ollama's own times are lost where a store is copied, and where 0.40 writes a name anew.
    one, other = observed.entry(slot.name), observed.entry(_previous(slot))
    return bool(one and other and one.modified_at and other.modified_at and one.modified_at <= other.modified_at)

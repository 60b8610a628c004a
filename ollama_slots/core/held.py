"""Say what each slot of a host holds, as the slot table and programs are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ollama_slots.core.details import Details
from ollama_slots.core.observed import Observed, Runner
from ollama_slots.core.residency import residency
from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import Target, lost

NO = "NO: "  # and why a slot is not resident
UNLIKE = "yes, not as declared"


@dataclass(frozen=True)
class Held:
    """What a slot holds.

    + declared: the base that it is to hold; None: none
    + model: the base that its variant was made from; None: there is no variant of ours
    + runner: what holds it in memory; None: nothing
    + resident: what the table says of that, ``yes`` or not
    + as_declared: whether its variant is as declared, and resident
    """

    number: int
    name: str
    declared: str | None
    model: str | None
    runner: Runner | None
    resident: str
    as_declared: bool

    @property
    def row(self) -> tuple[str, ...]:
        """Its row in the table, without the host's name."""
        if self.declared is None:
            return (str(self.number), self.name, "-", "-", "-", self.resident)
        return (
            str(self.number),
            self.name,
            self.model or self.declared,
            str(self.runner.context_length) if self.runner else "-",
            f"{self.runner.gigabytes_in_gpu:.2f}" if self.runner else "-",
            self.resident,
        )

    @property
    def why(self) -> str | None:
        """What is not as declared, on one line; None: nothing."""
        if self.resident in {"yes", "empty"}:
            return None
        other = "resident, not as declared" if self.resident == UNLIKE else self.resident.removeprefix(NO)
        return f"slot {self.name}: {other}"

    def to_json(self) -> dict[str, Any]:
        """Return what programs are told: the window in tokens, memory in bytes, null without a runner."""
        return {
            "slot": self.number,
            "name": self.name,
            "model": self.model,
            "context": self.runner.context_length if self.runner else None,
            "gpu_bytes": self.runner.size_vram if self.runner else None,
            "resident": self.resident in {"yes", UNLIKE},
            "as_declared": self.as_declared,
        }


def held(
    settings: Settings,
    observed: Observed,
    faults: list[tuple[Target, str | None]],
    unlike: set[str],
    details: Details | None = None,
) -> tuple[Held, ...]:
    """Return what each slot of a host holds.

    + settings, observed: of that host
    + faults: why each slot that is to hold a model is not resident, or None
    + unlike: the names of the slots that differ from what is declared, resident or not
    """
    wrong = {target.slot.name: (target, fault) for target, fault in faults}
    gone = lost(settings, observed)
    found = []
    for slot in settings.slots:
        target, fault = wrong.get(slot.name, (None, None))
        state = observed.states.get(slot.name)
        if target is None:
            resident = f"unknown: its state is lost, set slot{slot.number}_model" if slot in gone else "empty"
        else:
            resident = f"{NO}{fault}" if fault else UNLIKE if slot.name in unlike else "yes"
        found.append(
            Held(
                slot.number,
                slot.name,
                target.model if target else None,
                state.model if state else None,
                residency(slot.name, observed, details),
                resident,
                not fault and slot.name not in unlike and slot not in gone,
            )
        )
    return tuple(found)


def programs(slots: tuple[Held, ...]) -> list[dict[str, Any]]:
    """Return what programs are told of a host's slots: of those that are not empty."""
    return [it.to_json() for it in slots if it.resident != "empty"]

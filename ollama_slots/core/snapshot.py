"""Model a host at one moment: what is desired of it, and what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ollama_slots.core import names
from ollama_slots.core.details import Details
from ollama_slots.core.observed import Listed, Observed
from ollama_slots.core.published import Answer, Published
from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import Target, aligned, known_weights, targets


@dataclass(frozen=True)
class Snapshot:
    """All that plans and checks of a host are made from.

    + details: None where they were not asked: the host looks as declared without them
    + answers: of the registries, for the models that are to be pulled
    """

    settings: Settings
    observed: Observed
    details: Details | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)

    @cached_property
    def declared(self) -> list[Target]:
        """The slots that are to hold a model, each with its own context length."""
        return targets(self.settings, self.observed)

    @property
    def wanted(self) -> list[Target]:
        """The same, their context lengths aligned. Raises ValueError as ``aligned`` does."""
        return self.alignment[0]

    @cached_property
    def alignment(self) -> tuple[list[Target], list[str]]:
        """What ``aligned`` makes of what is declared, and its notices. Raises ValueError as that does."""
        known = known_weights(self.declared, self.observed, self.details)
        return aligned(self.settings, self.declared, known)

    @property
    def detailed(self) -> Details:
        """The details, for what cannot be decided without. Raises ValueError where they were not asked."""
        if self.details is None:
            raise ValueError("the details of this host's models were not asked")
        return self.details

    @property
    def to_pull(self) -> list[str]:
        """The bases that are not on the host, or whose weights are not; each once, as it will be pulled."""
        missing = [it.model for it in self.declared if self.detailed.weights(it.model) is None]
        return list(names.spellings(missing).values())

    def bytes_to_pull(self, models: list[str]) -> int:
        """Add up what these models have that is not on the host yet; an unknown model counts nothing."""
        layers: dict[str, int] = {}
        for model in models:
            answer = self.answers.get(names.parse(model).key)
            if isinstance(answer, Published):
                layers |= answer.layers
        return sum(max(0, size - (self.detailed.blobs or {}).get(layer, 0)) for layer, size in layers.items())

    @cached_property
    def foreseen(self) -> Snapshot:
        """The host as it will be when all that its registries have is pulled."""
        published = {key: it for key, it in self.answers.items() if isinstance(it, Published)}
        spelled = names.spellings(it.model for it in self.declared)
        listed = {
            key: Listed(name=spelled.get(key, names.parse(key).short), digest=it.digest, size=it.size)
            for key, it in published.items()
        }
        shown = {key: it.shown for key, it in published.items()}
        return replace(
            self,
            observed=self.observed.model_copy(update={"listed": (self.observed.listed or {}) | listed}),
            details=self.detailed.model_copy(update={"shown": self.detailed.shown | shown}),
        )

    def with_details(self, details: Details) -> Snapshot:
        """Return the same, with what was asked of its models since: less those that came meanwhile."""
        return replace(self, details=details.as_of(self.observed))

    def with_windows(self, most: int) -> Snapshot:
        """Return the same, with no slot's window larger than so many tokens."""
        slots = tuple(it.model_copy(update={"num_ctx": min(it.num_ctx, most)}) for it in self.settings.slots)
        return replace(self, settings=self.settings.model_copy(update={"slots": slots}))

"""What was measured in a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ollama_slots.core import names
from ollama_slots.core.errors import first_error

_Value = TypeVar("_Value")


def _is_name(text: str) -> str:
    names.parse(text)
    return text


def _by_key(content: dict[str, _Value]) -> dict[str, _Value]:
    return dict(sorted(content.items()))


Name = Annotated[str, AfterValidator(_is_name)]
Weights = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Figure = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Answers = Annotated[dict[str, bool], AfterValidator(_by_key)]


class Fixed(BaseModel):
    """A value that does not change, of which nothing is ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Spread(Fixed):
    """A figure of several timed answers: the median, the least and the most."""

    median: Figure
    low: Figure
    high: Figure

    @model_validator(mode="after")
    def _is_in_order(self) -> Spread:
        if not self.low <= self.median <= self.high:
            raise ValueError(f"expected low <= median <= high, found {self.low}, {self.median}, {self.high}")
        return self


class Depth(Fixed):
    """How fast a model is behind a prompt of about so many tokens."""

    tokens: Annotated[int, Field(gt=0)]
    tokens_per_sec: Spread
    ttft_ms: Spread


class Measured(Fixed):
    """A model, and what was measured of it.

    + weights: digest of its weights: models that share it are one candidate
    + digest: of its manifest
    + answers: by family and by id of the item, whether the answer passed. An item that the engine did not answer,
      or that was not asked any more, is not there.
    + gpu_bytes: of GPU memory, at the window of each slot, by the slot's number
    + at_depth: its speed behind long prompts, where that was measured
    """

    model: Name
    weights: Weights
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]
    also_named: tuple[Name, ...] = ()
    answers: Annotated[dict[str, Answers], AfterValidator(_by_key)]
    tokens_per_sec: Spread
    ttft_ms: Spread
    gpu_bytes: dict[int, Annotated[int, Field(ge=0)]]
    at_depth: tuple[Depth, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All its names; the one that leads is the first."""
        return self.model, *self.also_named

    def of(self, families: Collection[str]) -> dict[str, bool]:
        """Return the answers of some families, by item."""
        return {it: passed for family in families for it, passed in self.answers.get(family, {}).items()}

    def called(self, name: str | None) -> bool:
        """Return whether a name is one of its names, as Ollama compares them."""
        return bool(name) and names.parse(name or "").key in {names.parse(it).key for it in self.names}


class Run(Fixed):
    """A run: what was measured with the items of a seed.

    + basis: what evidence depends on beside weights: the form of the items, sampling, templates. When it changes,
      evidence begins anew.
    + failed: why a model has no results, by its name
    """

    seed: int
    basis: str
    models: tuple[Measured, ...]
    failed: Annotated[dict[str, str], AfterValidator(_by_key)] = Field(default_factory=dict)

    def text(self) -> str:
        """Return it as JSON: the same bytes for the same run."""
        return self.model_dump_json(indent=2) + "\n"


def parse(text: str) -> Run:
    """Read a run. Raises ValueError with one line that says where and what was expected."""
    try:
        return Run.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(first_error(error)) from None


def collapsed(models: Iterable[Measured]) -> list[Measured]:
    """Return one candidate for each set of weights, in the order of their names.

    The shortest name leads, of equally long ones the first in the alphabet. If several have results, those with
    the most items stay, then those of the leading name.
    """
    sharing: dict[str, list[Measured]] = {}
    for it in models:
        sharing.setdefault(it.weights, []).append(it)
    kept = []
    for group in sharing.values():
        lead, *others = sorted({name for it in group for name in it.names}, key=lambda name: (len(name), name))
        best = min(group, key=lambda it: (-len(it.of(it.answers)), len(it.model), it.model, it.model_dump_json()))
        kept.append(best.model_copy(update={"model": lead, "also_named": tuple(others)}))
    return sorted(kept, key=lambda it: it.model)

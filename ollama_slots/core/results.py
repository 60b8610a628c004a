"""Read what benchmarks measured, as programs write it: what cannot be chosen is left out, and told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ollama_slots.core import names
from ollama_slots.core.errors import first_error, shown
from ollama_slots.core.settings import EMPTY

NAMES = ("results", "all_metrics")
NAMED = 3  # of what was left out


class Metrics(BaseModel):
    """What a benchmark measured of one model; a composite goes from 0 to 1, None where it is missing."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    coding: float | None = Field(None, alias="coding_composite", ge=0, le=1)
    general: float | None = Field(None, alias="general_composite", ge=0, le=1)
    tokens_per_sec: float | None = Field(None, ge=0)
    avg_tok_per_sec: float | None = Field(None, ge=0)

    @property
    def tokens_per_second(self) -> float:
        """By whichever of the two names it was measured; what was not measured is slowest."""
        return self.tokens_per_sec or self.avg_tok_per_sec or 0.0


class Candidate(NamedTuple):
    """A model with both composites."""

    model: str
    coding: float
    general: float
    tokens_per_second: float


class Results(NamedTuple):
    """The models that can be chosen; and each that cannot, with the reason."""

    candidates: list[Candidate]
    left_out: list[tuple[str, str]]

    @property
    def notice(self) -> str | None:
        """What is to be said of those that were left out, on one line."""
        if not self.left_out:
            return None
        told = [f"{shown(name)} ({why})" for name, why in self.left_out[:NAMED]]
        more = [f"{len(self.left_out) - NAMED} more"] if len(self.left_out) > NAMED else []
        return f"not among the models to choose from: {', '.join(told + more)}"


def read(content: Mapping[str, Any]) -> Results:
    """Read a selection file's results, by whichever of their two names it has them.

    Of another program's ``all_metrics``, which is no mapping of models to metrics, there are none.

    Raises ValueError with one line where the metrics of a model that could be chosen are not what they should be.
    """
    name, models = next(((it, content[it]) for it in NAMES if content.get(it)), ("results", {}))
    if not isinstance(models, dict):
        if name != NAMES[0]:
            return Results([], [])
        raise ValueError(f"results: expected an object with a model for each key, found {shown(models)}")
    found = Results([], [])
    for model, metrics in models.items():
        try:
            candidate = _candidate(model, metrics)
        except ValidationError as error:
            raise ValueError(f"{name}.{ascii(model)[1:-1]:.60}.{first_error(error)}") from None
        except _LeftOutError as why:
            found.left_out.append((model, f"{why}"))
        else:
            found.candidates.append(candidate)
    return found


class _LeftOutError(Exception):
    pass


def _candidate(model: str, metrics: object) -> Candidate:
    if model.strip().lower() == EMPTY:
        raise _LeftOutError("no model")
    try:
        names.parse(model)
    except ValueError as error:
        why = "of Ollama's cloud" if "cloud:" in f"{error}" else "no model name"
        raise _LeftOutError(why) from None
    if not isinstance(metrics, dict):
        raise _LeftOutError("without metrics")
    measured = Metrics.model_validate(metrics)
    if measured.coding is None or measured.general is None:
        missing = [it for it in ("coding", "general") if getattr(measured, it) is None]
        raise _LeftOutError(f"without {' and '.join(f'{it}_composite' for it in missing)}")
    return Candidate(model, measured.coding, measured.general, measured.tokens_per_second)

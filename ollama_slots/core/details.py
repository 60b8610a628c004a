"""Model what is asked of a host where something is to be done: what models are made of, what room there is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from ollama_slots.core import kinds, names
from ollama_slots.core.gpus import Driven

if TYPE_CHECKING:
    from ollama_slots.core.observed import Observed


class Shown(BaseModel):
    """What /api/show says of a model whose weights are there, and its size on disk in bytes."""

    model_config = ConfigDict(frozen=True)

    weights: str
    trained_context: int | None = None
    sees: bool = False  # a vision model
    embeds: bool = False  # an embedding or reranking model: it makes no text
    runner: dict[str, int] = Field(default_factory=dict)  # what it says of its runner itself
    model_info: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, answer: dict[str, Any], lists: Mapping[str, Any] | None = None) -> Shown | None:
        """Read an answer; None where Ollama has no such model, or no weights for it.

        + lists: the figures of model_info that it leaves out unless verbose
        """
        first = next(_froms(answer.get("modelfile") or ""), "")
        blob = re.fullmatch(r".*sha256-([0-9a-f]{64})", first)
        if blob is None:
            return None
        info = {**(answer.get("model_info") or {}), **(lists or {})}
        return cls(
            weights=blob[1],
            trained_context=figure(info, "context_length"),
            sees="vision" in (answer.get("capabilities") or []),
            embeds=kinds.embeds(answer.get("capabilities") or [], info),
            runner=kinds.of_base(answer.get("parameters") or ""),
            model_info=info,
        )

    @property
    def blocks(self) -> int | None:
        """How many blocks its architecture has."""
        return figure(self.model_info, "block_count")


def figure(model_info: dict[str, Any], key: str) -> int | None:
    """Return a figure of a model's architecture; None where it is not said, or is no whole number."""
    value = model_info.get(f"{model_info.get('general.architecture')}.{key}")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _froms(modelfile: str) -> Iterator[str]:
    """Yield what a Modelfile is FROM, its weights first; what a license or a prompt has in it is none.

    The engine quotes a text of several lines with " or three of them (parser/parser.go, v0.32.15).
    """
    quotes = ""
    for line in modelfile.split("\n"):
        if quotes:
            quotes = "" if quotes in line else quotes
        elif line.startswith("FROM "):
            yield line.removeprefix("FROM ").removesuffix("\r")
        elif begun := re.match(r'[A-Z]+ ([a-z_]+ )?("""|")', line):
            quotes = "" if begun[2] in line[begun.end() :] else begun[2]


class Details(BaseModel):
    """What is asked only when something is to be done: models in detail, and what room there is (bytes)."""

    model_config = ConfigDict(frozen=True)

    asked: frozenset[str]  # of which models, as they were spelled
    shown: dict[str, Shown]  # by canonical key; what is not there, or has no weights, is missing
    damaged: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # weights that are gone or cut, by key
    driven: tuple[Driven, ...] = ()  # the cards of NVIDIA's driver as they are now
    tensors: frozenset[str] = frozenset()  # models that are there as safetensors, by canonical key
    disk_free: int | None = None  # where the models lie
    blobs: dict[str, int] | None = None  # bytes on the disk of each layer, by sha256; of a pull cut off, too

    def as_of(self, observed: Observed) -> Details:
        """Return these details without models that appeared after the host was read."""
        known = {key: it for key, it in self.shown.items() if key in (observed.listed or {})}
        return self.model_copy(update={"shown": known})

    def weights(self, model: str) -> str | None:
        """Return the blob that a model runs on."""
        shown = self.shown.get(names.parse(model).key)
        return shown.weights if shown else None

"""Model the content of a host's store: models, and what unfinished pulls left."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from ollama_slots.core import names

WEIGHTS = "application/vnd.ollama.image.model"  # in one file, a GGUF
TENSOR = "application/vnd.ollama.image.tensor"  # of the safetensors of MLX, one of many


class _Layer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str = Field(default="", alias="mediaType")
    digest: str
    size: int
    made_of: str = Field(default="", alias="from")


class Manifest(BaseModel):
    """What a model is made of; its name is spelled as the host has it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    config: _Layer
    layers: tuple[_Layer, ...]

    @property
    def blobs(self) -> dict[str, int]:
        """The size of each blob in bytes, by digest."""
        return {it.digest: it.size for it in (*self.layers, self.config) if it.digest}

    @property
    def weights(self) -> str | None:
        """The blob that it runs on."""
        return next((it.digest for it in self.layers if it.kind == WEIGHTS), None)

    @property
    def parents(self) -> set[str]:
        """The canonical keys of the models that it was made of."""
        keys = set()
        for layer in self.layers:
            with suppress(ValueError):  # not made of a model
                keys.add(names.parse(layer.made_of).key)
        return keys


@dataclass(frozen=True)
class Unfinished:
    """A blob of a pull that this tool began and that was not finished (host/unfinished.sh)."""

    model: str
    blob: str  # its digest
    size: int  # bytes on the disk
    ours: bool  # nobody is going on with it, or has since


@dataclass(frozen=True)
class Stored:
    """What a host's store has."""

    models: dict[str, Manifest]  # by canonical key
    unfinished: tuple[Unfinished, ...]

"""What a host's store has, as host/stored.sh prints it: models, and what unfinished pulls left. Pure."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from ollama_slots import names
from ollama_slots.probe import sections

WEIGHTS = "application/vnd.ollama.image.model"


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


def parse_stored(output: list[str]) -> Stored:
    """The output of host/stored.sh as a Stored.

    Raises ValueError where it is not the whole of it.
    """
    parts = sections(output)
    if "end" not in parts:
        raise ValueError("the models in Ollama's store could not be read to their end")
    models: dict[str, Manifest] = {}
    for line in parts["manifests"]:
        path, _, text = line.partition(" ")
        with suppress(ValueError, TypeError):  # a damaged one: the engine passes it over too
            name = names.Name(*path.split("/"))
            models[name.key] = Manifest.model_validate({**json.loads(text), "name": name.short})
    unfinished = []
    for line in parts["unfinished"]:
        with suppress(ValueError):  # a damaged record is none
            blob, left, size, model, *recorded = line.split()
            name = names.parse(model)
            unfinished.append(Unfinished(name.short, f"sha256:{blob}", int(size), ours=recorded == [left]))
    return Stored(models, tuple(unfinished))

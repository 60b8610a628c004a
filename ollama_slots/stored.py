"""What a host's store has, as host/stored.sh prints it: models, and what unfinished pulls left. Pure."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

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
    of_lists = dict(line.split(" ", 1) for line in parts["parts"] if " " in line)
    models: dict[str, Manifest] = {}
    for line in parts["manifests"]:
        path, _, text = line.partition(" ")
        with suppress(ValueError, TypeError, KeyError, IndexError):  # a damaged one: the engine passes it over too
            name = _named(path)
            models.setdefault(name.key, Manifest.model_validate({**_whole(text, of_lists), "name": name.short}))
    unfinished = []
    for line in parts["unfinished"]:
        with suppress(ValueError):  # a damaged record is none
            blob, left, size, model, *recorded = line.split()
            name = names.parse(model)
            unfinished.append(Unfinished(name.short, f"sha256:{blob}", int(size), ours=recorded == [left]))
    return Stored(models, tuple(unfinished))


def _named(path: str) -> names.Name:
    """The name that a path below manifests or manifests-v2 stands for: there, some parts are written otherwise."""
    host, *rest = path.split("/")
    host = names.DEFAULT_HOST if host == "ollama.com" else host.replace("%3A", ":")
    return names.Name(host, *rest)


def _whole(text: str, of_lists: dict[str, str]) -> dict[str, Any]:
    """A manifest; a manifest list as one that has the layers of all that it is of."""
    content: dict[str, Any] = json.loads(text)
    if "manifests" not in content:
        return content
    named = [it for it in content["manifests"] if it.get("digest", "") in of_lists]
    parts = [json.loads(of_lists[it["digest"]]) for it in named] or content["manifests"]
    layers = [layer for it in parts for layer in (*it["layers"], it["config"])]
    return {
        "config": parts[0]["config"],
        "layers": [*layers, *({"digest": it["digest"], "size": 0} for it in named)],
    }

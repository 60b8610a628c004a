"""Read what host/stored.sh prints: what every model is made of, and what unfinished pulls left."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from ollama_slots.core import names
from ollama_slots.core.stored import Manifest, Stored, Unfinished
from ollama_slots.host.output import sections


def parse_stored(output: list[str]) -> Stored:
    """Parse the output of host/stored.sh.

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
            name = named(path)
            models.setdefault(name.key, Manifest.model_validate({**_whole(text, of_lists), "name": name.short}))
    unfinished = []
    for line in parts["unfinished"]:
        with suppress(ValueError):  # a damaged record is none
            blob, left, size, model, *recorded = line.split()
            name = names.parse(model)
            unfinished.append(Unfinished(name.short, f"sha256:{blob}", int(size), ours=recorded == [left]))
    return Stored(models, tuple(unfinished))


def named(path: str) -> names.Name:
    """Return the name for a path below manifests or manifests-v2, where some parts are written otherwise."""
    host, *rest = path.split("/")
    host = names.DEFAULT_HOST if host == "ollama.com" else host.replace("%3A", ":")
    return names.Name(host, *rest)


def _whole(text: str, of_lists: dict[str, str]) -> dict[str, Any]:
    """Return a manifest; for a manifest list, one with the layers of all that it lists."""
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

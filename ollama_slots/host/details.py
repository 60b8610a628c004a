"""Read what host/showing.sh prints: what models are made of, and what room there is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ollama_slots.core import names
from ollama_slots.core.details import Details, Shown
from ollama_slots.host import gpus
from ollama_slots.host.output import sections

SAFETENSORS = "safetensors"  # the format of a model without one blob for its weights (server/images.go, v0.34.4)


def parse_details(models: Sequence[str], output: list[str]) -> Details:
    """Parse the output of host/details.sh, asked about these models.

    Raises ValueError where an answer is missing.
    """
    return of_sections(models, sections(output))


def of_sections(models: Sequence[str], parts: dict[str, list[str]]) -> Details:
    """Return what the sections say that host/showing.sh prints, asked about these models.

    Raises ValueError where an answer is missing.
    """
    lines, unreadable, lists = parts["show"], [it.split() for it in parts["unreadable"]], _lists(parts["lists"])
    if len(lines) < 2 * len(models):
        raise ValueError("an answer of /api/show is missing")
    shown: dict[str, Shown] = {}
    tensors: set[str] = set()
    damaged: dict[str, tuple[str, ...]] = {}
    for model, weights in unreadable:
        damaged[names.parse(model).key] = (*damaged.get(names.parse(model).key, ()), weights)
    # What a model runs on, as Ollama shows it, and the blob that is not whole: one of several, of split weights.
    missing = [(it.split()[0], it.split()[-1]) for it in parts["missing"]]
    for model, body, status in zip(models, lines[0::2], lines[1::2], strict=False):
        if status == "000":
            raise ValueError("Ollama stopped answering")
        content = json.loads(body) if status == "200" else {}
        answer = Shown.of(content, lists.get(model, {}))
        if answer is None and (content.get("details") or {}).get("format") == SAFETENSORS:
            tensors.add(names.parse(model).key)
        if answer and (gone := tuple(blob for of, blob in missing if of == answer.weights)):
            damaged[names.parse(model).key] = gone
        elif answer:
            shown[names.parse(model).key] = answer
    return Details(
        asked=frozenset(models),
        shown=shown,
        damaged=damaged,
        driven=gpus.driven(parts["gpu"]),
        tensors=frozenset(tensors),
        disk_free=int(parts["disk"][0]) * 1024 if parts["disk"] else None,
        blobs=_blobs(
            parts["blobs"], [*(it for _, it in missing), *(it for them in damaged.values() for it in them)]
        )
        if parts["blobs"]
        else None,
    )


def _lists(lines: list[str]) -> dict[str, dict[str, Any]]:
    """Return the figures by layer that /api/show leaves out unless verbose, by model."""
    lists: dict[str, dict[str, Any]] = {}
    for model, _, figure in (line.partition(" ") for line in lines):
        lists.setdefault(model, {}).update(json.loads(f"{{{figure}}}"))
    return lists


def _blobs(lines: list[str], missing: list[str]) -> dict[str, int]:
    blobs: dict[str, int] = {}
    for name, blocks in (line.rsplit(" ", 1) for line in lines):
        layer = re.fullmatch(r"sha256-([0-9a-f]{64})(-partial)?", name)
        if layer and (layer[2] or layer[1] not in missing):
            blobs[layer[1]] = int(blocks) * 512
    return blobs

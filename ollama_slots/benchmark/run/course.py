"""In which order items are asked. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

from ollama_slots.benchmark.asking import request
from ollama_slots.benchmark.items import draw
from ollama_slots.benchmark.items.item import Item
from ollama_slots.benchmark.items.task import Task

WINDOW = 8192  # of the items that the form is told by


def mixed(items: Sequence[Item]) -> list[Item]:
    """Return items so that any part from the first one on has the families in the shares that all have them in."""
    sizes, seen, places = Counter(it.family for it in items), Counter[str](), []
    for number, it in enumerate(items):
        places.append(((seen[it.family] + 0.5) / sizes[it.family], number, it))
        seen[it.family] += 1
    return [it for _, _, it in sorted(places, key=lambda place: place[:2])]


def digest(items: Sequence[Item]) -> str:
    """Return a digest of items in their order."""
    return sha256("\n".join(f"{it.id} {request.digest(it)}" for it in items).encode()).hexdigest()


def basis(tasks: Sequence[Task]) -> str:
    """Return what evidence depends on: another one where items of the same seed are others, or asked otherwise."""
    form = repr((request.FORMAT, draw.items(0, WINDOW, tasks)))
    return sha256(form.encode()).hexdigest()[:16]

"""GPU memory of the chosen set, as one bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ollama_slots.benchmark.report.rows import Row


class Memory(NamedTuple):
    """What the smallest host has.

    + total: bytes of GPU memory
    + others: what else lies in it, such as slot 4's model, with its bytes
    """

    total: int
    others: Mapping[str, int] = {}


class Part(NamedTuple):
    """A part of the bar: its bytes, and its share of the whole width."""

    name: str
    size: int
    share: float


class Stack(NamedTuple):
    """The bar.

    + unknown: models whose bytes nobody measured
    + total: of the host; None where it is unknown
    """

    parts: list[Part]
    taken: int
    unknown: list[str]
    total: int | None


def stack(rows: Sequence[Row], memory: Memory | None) -> Stack:
    """Return what lies in GPU memory: a runner for each set of weights, at the largest window of its slots."""
    held = [(it, [size for slot in it.slots if (size := it.model.gpu_bytes.get(slot))]) for it in rows if it.slots]
    sizes = [(f"{it.has}: {it.name}", max(known)) for it, known in held if known]
    sizes += sorted((memory.others if memory else {}).items())
    taken = sum(size for _, size in sizes)
    wide = max(taken, memory.total if memory else 0) or 1
    parts = [Part(name, size, size / wide) for name, size in sizes]
    return Stack(parts, taken, [it.name for it, known in held if not known], memory.total if memory else None)

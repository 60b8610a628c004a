"""Tell how much memory the GPUs of a host have free: now, and with nothing of Ollama's on them.

Ollama says what it found when it started, and NVIDIA's driver, where there is one, what is free now. On which card
a runner lies nobody tells.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ollama_slots.core.gpus import Driven
from ollama_slots.core.observed import Observed, Runner
from ollama_slots.core.placing import Card, loaded
from ollama_slots.core.snapshot import Snapshot

GIB = 2**30
# Bytes that NVIDIA's driver takes on a card for each runner there. Seen on an H100 with driver 580 (llama-server
# b10488, CUDA 13): 628 MB beside what the runner holds, 693 where it embeds, and 23 to 111 more after a prompt of
# 6000 tokens.
DRIVER_TAKES = 640 * 2**20
DRIVER_HAS = 524 * 2**20  # of that, before llama-server looks how much is free (seen there)


def driver_takes(snapshot: Snapshot) -> int:
    """Return the bytes that the driver takes on a card for each runner there; 0 where it is not NVIDIA's."""
    found = snapshot.observed.gpus
    nvidia = any(it.library.lower() == "cuda" for it in found) if found else bool(snapshot.detailed.driven)
    return DRIVER_TAKES if nvidia else 0


def _held_now(snapshot: Snapshot) -> list[int]:
    """Return the bytes that each runner takes of GPU memory, with what the driver takes for it."""
    more = driver_takes(snapshot)
    return [it.size_vram + more for it in snapshot.observed.runners or () if it.size_vram]


def _driven(snapshot: Snapshot) -> list[Driven] | None:
    """Return the driver's cards in the order of those that Ollama found; None where they are not the same ones.

    All of them, where what it found is not known, or is to be looked for again.
    """
    found, driven = snapshot.observed.gpus, list(snapshot.detailed.driven)
    if found == () and not snapshot.observed.blind:
        return None  # it looked, and leaves them alone
    if not driven or not found:
        return driven or None
    by_pci = {it.pci: it for it in driven}
    if all(it.pci in by_pci for it in found):
        return [by_pci[it.pci] for it in found]
    if len(found) != len(driven) or any(it.library.lower() != "cuda" for it in found):
        return None
    smallest_first = sorted(range(len(found)), key=lambda it: found[it].total)
    by_size = dict(zip(smallest_first, sorted(driven, key=lambda it: it.total), strict=True))
    return [by_size[number] for number in range(len(found))]


def cards_now(snapshot: Snapshot) -> list[Card] | None:
    """Return the cards as they are now. None: their memory is not known."""
    settings, observed, now = snapshot.settings, snapshot.observed, _held_now(snapshot)
    if settings.gpu_memory_gib is not None:
        return [Card(max(0, int(settings.gpu_memory_gib * GIB) - sum(now)))]
    driven = _driven(snapshot)
    if driven is not None:
        return _of(observed, [it.free for it in driven])
    return loaded(_of(observed, [it.available for it in observed.gpus]), now) if observed.gpus else None


def room(snapshot: Snapshot) -> list[Card] | None:
    """Return the cards as they would be with nothing of Ollama's on them. None: their memory is not known."""
    settings, observed = snapshot.settings, snapshot.observed
    if settings.gpu_memory_gib is not None:
        return [Card(int(settings.gpu_memory_gib * GIB))]
    driven = _driven(snapshot)
    if driven is None:
        return _of(observed, [it.available for it in observed.gpus]) if observed.gpus else None
    totals, free = [it.total for it in driven], [it.free for it in driven]
    then = [it.available for it in observed.gpus] if observed.gpus else free
    ours = min(sum(totals), sum(free) + sum(_held_now(snapshot)))
    rooms = [min(total, max(now, before)) for total, now, before in zip(totals, free, then, strict=True)]
    # On which card a runner lies is not told. What others took since, or gave back, is spread over all.
    more = ours - sum(rooms)
    above, below = (totals, rooms) if more > 0 else (rooms, free)
    spare = [most - least for most, least in zip(above, below, strict=True)]
    if sum(spare):
        rooms = [it + more * share // sum(spare) for it, share in zip(rooms, spare, strict=True)]
    return _of(observed, rooms)


def cards_without(snapshot: Snapshot, away: Collection[Runner]) -> list[Card] | None:
    """Return the cards as they would be without these runners. None: their memory is not known."""
    found, runners = room(snapshot), snapshot.observed.runners or ()
    left = snapshot.observed.model_copy(update={"runners": tuple(it for it in runners if it not in away)})
    return found and loaded(found, _held_now(replace(snapshot, observed=left)))


def _of(observed: Observed, free: Sequence[int]) -> list[Card]:
    """Return the cards that Ollama found with so much free each; only that, where what it found is not known."""
    if not observed.gpus:
        return [Card(it) for it in free]
    return [Card(now, it.library, it.integrated) for it, now in zip(observed.gpus, free, strict=True)]

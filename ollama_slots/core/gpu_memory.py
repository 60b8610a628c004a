"""Decide whether all slots of a host fit into its GPU memory together, and whether a model fits beside others.

There are two figures a model: the engine's own guess, by which it ends other runners, and what it really holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ollama_slots.core import flash, meaning, names, versions
from ollama_slots.core.cards import DRIVER_HAS, cards_now, cards_without, driver_takes
from ollama_slots.core.gpus import does_flash_attention
from ollama_slots.core.observed import Observed, Runner
from ollama_slots.core.placing import USABLE, Card, Rule, Taken, fit, in_order, place
from ollama_slots.core.residency import residency, weights_by_digest
from ollama_slots.core.shape import Load, Shape, computed, held, parallel, predicted, surcharge
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.targets import Target, context, lies, undeclared

GB = 10**9
AUTO_RUNNERS_A_GPU = 3  # OLLAMA_MAX_LOADED_MODELS unset or 0 (server/sched.go)
NO = {"0", "f", "false"}  # as Ollama reads a variable
WINDOW_STEP = 256  # tokens: windows that are proposed are multiples of it
# MiB that llama-server wants to be left free on each card of a model, else it leaves layers to the CPU (fit.cpp,
# b10488). Seen on an H100: 8 of 9 layers came to it where 0.99 GiB would have been left, all 9 where it was 1.5.
LEFT = 1024
LEFT_BEFORE = (
    457  # the same of the versions that try what fits, beside OLLAMA_GPU_OVERHEAD (ml/device.go, v0.21.1)
)
CANDIDATE = {names.CANDIDATE, f"{names.CANDIDATE}:latest"}
NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True)
class Need:
    """A runner as it will be: one for all slots with the same weights."""

    slots: tuple[Target, ...]
    taken: Taken

    @property
    def held(self) -> int:
        """Bytes of GPU memory, at the most."""
        return self.taken.held


def fits(
    snapshot: Snapshot, model: str, tokens: int, in_gpu: bool = True, said: Mapping[str, int] = NOTHING
) -> bool:
    """Return whether Ollama would load a model with a window of so many tokens without evicting another one.

    + in_gpu: it is to lie wholly in GPU memory; else Ollama does not look whether it fits
    + said: what its variant says of its runner, beside what it says itself
    """
    return unfit(snapshot, model, tokens, in_gpu, said=said) is None


def unfit(
    snapshot: Snapshot,
    model: str,
    tokens: int,
    in_gpu: bool = True,
    away: Collection[Runner] = (),
    said: Mapping[str, int] = NOTHING,
) -> str | None:
    """Return why it would evict another one for that, with what it needs and what is free; None if it would not.

    + away: runners that are unloaded before
    + said: as ``fits`` has it

    Where the GPU memory is unknown it would not: the engine does not check it on a host without a GPU, and what a
    load evicted all the same is seen by the proof, and warmed again.
    """
    observed = snapshot.observed
    # The benchmark's candidate is the first that goes: it stays for minutes, and slots for ever.
    runners = [it for it in observed.runners or () if it.name.lower() not in CANDIDATE and it not in away]
    if len(runners) >= (limit := most_loaded(observed)):
        return f"{len(runners)} of at most {limit} models are in memory"
    if not in_gpu:
        return None
    now = cards_without(snapshot, away) if away else cards_now(snapshot)
    if now is None:
        return None
    taken, by = takes(snapshot, names.parse(model).key, tokens, said), rule(observed)
    if place(now, taken, by, alone=not runners) is not None:
        return None
    needed = guess(snapshot, model, tokens, said)
    return f"needs {needed / 2**30:.1f} of {sum(it.free for it in now) / 2**30:.1f} GiB that are free"


def guess(snapshot: Snapshot, model: str, tokens: int, said: Mapping[str, int] = NOTHING) -> int:
    """Return the bytes of GPU memory that Ollama wants to be free before it loads a model beside others."""
    taken = takes(snapshot, names.parse(model).key, tokens, said)
    guessed = int(taken.predicted / USABLE) if rule(snapshot.observed).guesses else 0
    return max(guessed, taken.held + taken.left)


def most_loaded(observed: Observed) -> int:
    """Return how many models Ollama holds at once."""
    return _variable(observed, "OLLAMA_MAX_LOADED_MODELS") or AUTO_RUNNERS_A_GPU * max(1, len(observed.gpus or ()))


def rule(observed: Observed) -> Rule:
    """Return how the Ollama of this host places models."""
    spread = _said(observed, "OLLAMA_SCHED_SPREAD")
    return Rule(guesses=versions.guesses(observed.version), spreads=spread not in {"", *NO})


def needs(snapshot: Snapshot) -> list[Need]:
    """Return the GPU memory that each runner needs, the largest first.

    Unknown models are left out, and those that need not be wholly in GPU memory.
    """
    observed, details = snapshot.observed, snapshot.detailed
    sharing: dict[str, list[Target]] = defaultdict(list)
    for target in snapshot.wanted:
        weights = details.weights(target.model)
        if weights:
            sharing[weights].append(target)
    known = weights_by_digest(observed, details)
    result = []
    for weights, group in sharing.items():
        if any(lies(it, details.shown[names.parse(it.model).key]) for it in group):
            continue
        key = names.parse(group[0].model).key
        window = max(context(target, details) for target in group)
        each = (takes(snapshot, key, window, {**it.slot.runner, **_placed(group)}) for it in group)
        taken = max(each, key=lambda it: it.held)  # whose batch is the largest
        told = any("num_batch" in it.slot.runner for it in group)  # since it was loaded, perhaps
        # Of two caches, where windows slide, Ollama counts one (llm/llama_server.go, v0.34.4).
        slides = Shape(details.shown[key].model_info).window
        for runner in observed.runners or ():
            there = known.get(runner.digest) == weights and runner.context_length == window
            if there and runner.size_vram == runner.size and not told and not slides:
                # It is there: nothing needs to be guessed.
                more = driver_takes(snapshot)
                taken = replace(taken, held=runner.size_vram + more, computed=more)
        result.append(Need(tuple(group), taken))
    return sorted(result, key=lambda need: need.held, reverse=True)


def _placed(group: Sequence[Target]) -> dict[str, int]:
    """Return what slots that share a runner say of where it lies: the first of each, from 0 on."""
    said: dict[str, int] = {}
    for name in ("main_gpu", "num_gpu"):
        if (
            first := next((it.slot.runner[name] for it in group if it.slot.runner.get(name, -1) >= 0), None)
        ) is not None:
            said[name] = first
    return said


def takes(snapshot: Snapshot, key: str, tokens: int, said: Mapping[str, int] = NOTHING) -> Taken:
    """Return what a model takes with a window of so many tokens, as far as it can be foreseen.

    + key: of its name; the host has it, and was asked for its details
    + said: what its variant says of its runner, beside what it says itself
    """
    observed = snapshot.observed
    shown, size = snapshot.detailed.shown[key], (observed.listed or {})[key].size
    said = {**shown.runner, **said}
    info, wanted = shown.model_info, _variable(observed, "OLLAMA_NUM_PARALLEL") or 1
    at_once = 1 if shown.embeds else parallel(info, wanted)
    by = _flash(snapshot, Shape(info).architecture)
    cache = _said(observed, "OLLAMA_KV_CACHE_TYPE") if by.quantised else ""
    load = Load(tokens, at_once, by.on, cache, shown.embeds, said.get("num_batch", 0))
    more = driver_takes(snapshot)
    # Told how many layers are in GPU memory, it does so, whatever that leaves.
    left = 0 if said.get("num_gpu", -1) >= 0 else _left(observed, more)
    return Taken(
        predicted(info, size, tokens * at_once) + surcharge(load),
        held(info, size, load) + more,
        computed(info, load) + more,
        main=said.get("main_gpu"),
        left=left,
        file=size,
    )


def _left(observed: Observed, more: int) -> int:
    """Return the bytes that have to be left free on each card of a model, for the engine at hand.

    + more: what the driver takes there for it, a part of which is taken before that is looked at
    """
    if not versions.guesses(observed.version):
        return max(0, LEFT_BEFORE * 2**20 + _variable(observed, "OLLAMA_GPU_OVERHEAD") - more)
    if _said(observed, "LLAMA_ARG_FIT") in {*NO, "off", "disabled"}:
        return 0
    targets = [int(it) for it in _said(observed, "LLAMA_ARG_FIT_TARGET").split(",") if it.strip().isdecimal()]
    return max(0, max(targets, default=LEFT) * 2**20 - max(0, more - DRIVER_HAS))


def _flash(snapshot: Snapshot, architecture: str) -> flash.Flash:
    """Return whether models of an architecture are loaded with flash attention, as far as is known."""
    observed, driven = snapshot.observed, snapshot.detailed.driven
    if said := _said(observed, "OLLAMA_FLASH_ATTENTION"):
        return flash.Flash(said not in NO, said not in NO)
    if observed.gpus:
        able = all(it.flash for it in observed.gpus)
    else:
        able = bool(driven) and all(does_flash_attention(it.compute) for it in driven)
    return flash.by_default(observed.version, architecture) if able else flash.Flash(on=False, quantised=False)


def _said(observed: Observed, name: str) -> str:
    """Return a variable of Ollama's environment as it reads it, in lower case; nothing where it has none."""
    return meaning.said((observed.environ or {}).get(name, "")).lower()


def _variable(observed: Observed, name: str) -> int:
    """Return a number in Ollama's environment; 0 where it has none, or one that Ollama cannot read."""
    return meaning.whole((observed.environ or {}).get(name, ""))


def left_out(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return the figures that the memory of slots' models depends on and that are not known, by model."""
    shown = snapshot.detailed.shown
    wanted = dict.fromkeys(it.model for it in snapshot.declared)
    known = {model: shown.get(names.parse(model).key) for model in wanted}
    return {model: figures for model, it in known.items() if it and (figures := Shape(it.model_info).left_out)}


def stays(snapshot: Snapshot) -> dict[str, Taken]:
    """Return what the slots that no data declare any more take, by name: those whose weights no other slot has."""
    observed, details, more = snapshot.observed, snapshot.detailed, driver_takes(snapshot)
    theirs = {details.weights(it.model) for it in snapshot.wanted}
    taken: dict[str, Taken] = {}
    for name in undeclared(snapshot.settings, observed):
        runner, weights = residency(name, observed, details), observed.states[name].weights
        if runner and runner.size_vram and weights not in theirs:
            theirs.add(weights)
            entry = observed.entry(name)
            taken[name] = Taken(runner.size_vram, runner.size_vram + more, more, file=entry.size if entry else 0)
    return taken


def all_fit(snapshot: Snapshot, wanted: Iterable[Taken], cards: Sequence[Card]) -> bool:
    """Return whether runners stay in memory together on these cards, loaded as a warm-up does it."""
    return fit(in_order(wanted), cards, rule(snapshot.observed))


def largest_windows(snapshot: Snapshot, cards: Sequence[Card]) -> str | None:
    """Return the largest windows with which the slots would fit, larger ones reduced first, as data; or None."""

    def capped(steps: int) -> list[Need]:
        return needs(snapshot.with_windows(steps * WINDOW_STEP))

    def too_large(steps: int) -> bool:
        return not all_fit(snapshot, [*(it.taken for it in capped(steps)), *others], cards)

    others = stays(snapshot).values()
    most = max(it.num_ctx for it in snapshot.declared) // WINDOW_STEP
    steps = bisect_left(range(1, most + 1), True, key=too_large)
    if steps == 0:
        return None
    windows = sorted((it.slot.number, it.num_ctx) for need in capped(steps) for it in need.slots)
    return ", ".join(f"slot{number}_num_ctx={tokens}" for number, tokens in windows)

"""Models with made-up measurements, for the tests of the choice."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import Any

from ollama_slots.benchmark.choice.decide import Decision, Three, decide
from ollama_slots.benchmark.choice.measured import Answers, Measured, Run, Spread
from ollama_slots.benchmark.choice.state import State
from ollama_slots.benchmark.items.draw import CODING, FULL, GENERAL

SEED, WHEN = 202648, "2026-11-26T02:00:00Z"


def spread(value: float, noise: float = 0.01) -> Spread:
    return Spread(median=value, low=value * (1 - noise), high=value * (1 + noise))


def exactly(share: float, family: str, source: Random, seed: int, count: int) -> Answers:
    """Answers of which a share passed, at random places."""
    passed = round(share * count)
    places = source.sample([True] * passed + [False] * (count - passed), count)
    return {f"{family}/{it}": place for it, place in zip(asked(family, seed, count), places, strict=True)}


def asked(family: str, seed: int, count: int) -> list[str]:
    """What the items of a family are called; repair asks for one of nine bugs of some tasks."""
    if family != "repair":
        return [str(n) for n in range(count)]
    tasks = Random(seed).sample(range(164), 164)
    return [f"{task}.{Random(f'{seed} {task}').randrange(9)}" for task in tasks[:count]]


def model(
    name: str,
    coding: float = 0.8,
    general: float = 0.8,
    *,
    weights: str = "",
    seed: int = 0,
    alike: str = "",
    speed: float = 40.0,
    ttft: float = 300.0,
    items: float = 1,
    size: int = 10,
    **rest: Any,
) -> Measured:
    """A model.

    + weights: what its weights are made of, else its name
    + seed: of its answers to what is drawn anew for each seed; the others depend on the name alone
    + alike: answers as the model of this name does that passed the same share
    + items: the share of the items that it was asked
    """
    answers = {}
    for family in (*CODING, *GENERAL):
        fixed = family in ("write", "choice")  # of every seed, all there are
        source = Random(f"{alike or name} {family} {'' if fixed else seed}")
        share = coding if family in CODING else general
        answers[family] = exactly(share, family, source, seed, round(FULL[family] * items))
    return Measured(
        model=name,
        weights=f"sha256:{sha256((weights or name).encode()).hexdigest()}",
        digest=sha256(name.encode()).hexdigest()[:12],
        answers=answers,
        tokens_per_sec=spread(speed),
        ttft_ms=spread(ttft),
        gpu_bytes={1: size, 2: size, 3: size},
        **rest,
    )


def run(*models: Measured, seed: int = SEED, basis: str = "1", failed: dict[str, str] | None = None) -> Run:
    return Run(seed=seed, basis=basis, models=models, failed=failed or {})


def fit_all(_: Three) -> bool:
    return True


def decided(
    *models: Measured, had: dict[int, str] | None = None, before: State | None = None, seed: int = SEED
) -> Decision:
    """What is chosen of these, where all of them fit."""
    return decide(run(*models, seed=seed), had or {}, before or State(), fit_all, WHEN)


def slots(decision: Decision) -> list[str]:
    return [decision.named(slot) for slot in (1, 2, 3)]

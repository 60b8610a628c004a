"""Simulated weeks: how often the choice changes, and how soon it is right.

``python -m tests.weeks`` writes the tables in docs/benchmark.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from ollama_slots.benchmark.choice.decide import decide
from ollama_slots.benchmark.choice.evidence import BETS, BEYOND_DOUBT, Tally, Wealth, bet
from ollama_slots.benchmark.choice.measured import Measured, Run, Spread
from ollama_slots.benchmark.choice.state import State
from ollama_slots.benchmark.items.draw import CODING, FULL

PAGE = Path(__file__).parents[1] / "docs" / "benchmark.md"
BLOCK = r"(?<=<!-- {}, by python -m tests.weeks -->\n\n)(?:\|.*\n)+"
WEEKS, YEARS, FULL_YEARS, MODELS, SEED = 52, 400, 40, 3, 16
LEVEL = 0.85  # of the items are passed by all models but the better one
ITEMS = (100, 300)
POINTS = (0, 3, 6, 12)
START = (0.0,) * len(BETS)


class Week(NamedTuple):
    """What was measured in a week: items passed, by model; and how each pair's answers differ, by challenger."""

    passed: Sequence[int]
    tallies: dict[tuple[int, int], Tally]


def highest(weeks: Sequence[Week]) -> list[int]:
    """The highest score wins; of equal ones the model that has the slot. Returns who has it after each week."""
    held, after = 0, []
    for week in weeks:
        held = max(range(MODELS), key=lambda it: (week.passed[it], it == held))
        after.append(held)
    return after


def paired(weeks: Sequence[Week]) -> list[int]:
    """A paired test of each week at 95 %, of the difference in either direction."""
    held, after = 0, []
    for week in weeks:
        better = [it for it in range(MODELS) if it != held and _significant(week.tallies[it, held])]
        held = max(better, key=lambda it: week.passed[it], default=held)
        after.append(held)
    return after


def evidence(weeks: Sequence[Week]) -> list[int]:
    """The rule of the product: better beyond doubt by all weeks, and higher in this one."""
    held, after, logs = 0, [], dict.fromkeys(range(MODELS), START)
    for week in weeks:
        better = []
        for it in range(MODELS):
            if it != held:
                logs[it] = bet(logs[it], week.tallies[it, held])
                wealth = Wealth(since="", logs=logs[it]).evidence
                if wealth >= BEYOND_DOUBT * (MODELS - 1) and week.passed[it] > week.passed[held]:
                    better.append(it)
        if better:
            held, logs = max(better, key=lambda it: week.passed[it]), dict.fromkeys(range(MODELS), START)
        after.append(held)
    return after


RULES: dict[str, Callable[[Sequence[Week]], list[int]]] = {
    "highest score": highest,
    "paired test": paired,
    "evidence": evidence,
}


def _significant(tally: Tally) -> bool:
    return tally.won - tally.lost > 1.96 * sqrt(tally.won + tally.lost)


def year(source: np.random.Generator, items: int, points: int) -> list[Week]:
    """Draw a year, with items drawn anew each week; the last model is better by so many points.

    Models' answers to an item have nothing in common, which is the most that they can differ by chance.
    """
    level = np.array([LEVEL] * (MODELS - 1) + [LEVEL + points / 100])
    answers = source.random((WEEKS, MODELS, items)) < level[None, :, None]
    passed = answers.sum(axis=2)
    both = np.einsum("wai,wbi->wab", answers.astype(np.float32), answers.astype(np.float32)).astype(int)
    weeks = []
    for week in range(WEEKS):
        tallies = {}
        for one in range(MODELS):
            for other in range(MODELS):
                won = int(passed[week, one] - both[week, one, other])
                lost = int(passed[week, other] - both[week, one, other])
                tallies[one, other] = Tally(won, lost, items - won - lost)
        weeks.append(Week([int(it) for it in passed[week]], tallies))
    return weeks


class Figures(NamedTuple):
    """What a rule does in a year.

    + needless: switches beside the one to the better model
    + adopted, weeks: in what share of years that one gets the slot, and after how many weeks, as the median
    + share: of weeks in which it has the slot
    """

    needless: float
    adopted: float
    weeks: float | None
    share: float


def figures(held: Sequence[Sequence[int]], points: int) -> Figures:
    """Sum up who had the slot, in many years. The first model has it at the beginning."""
    best = MODELS - 1
    switches = [sum(one != other for one, other in zip([0, *it], it, strict=False)) for it in held]
    first = [it.index(best) + 1 for it in held if best in it]
    needed = sum(best in it for it in held) if points else 0
    share = sum(it.count(best) for it in held) / (len(held) * WEEKS)
    return Figures(
        (sum(switches) - needed) / len(held), len(first) / len(held), median(first) if first else None, share
    )


def runs(source: np.random.Generator, points: int) -> Iterator[Run]:
    """Draw a year of full runs: "write" is the same each week, and a bug that was asked is answered as it was."""
    levels = [LEVEL] * (MODELS - 1) + [LEVEL + points / 100]
    known = [
        {f"write/{n}": it for n, it in enumerate(source.permutation(FULL["write"]) < round(level * FULL["write"]))}
        for level in levels
    ]
    for week in range(WEEKS):
        bugs = source.integers(9, size=FULL["write"])
        repaired = [f"repair/{task}.{bugs[task]}" for task in source.permutation(FULL["write"])[: FULL["repair"]]]
        made = [f"{family}/{n}" for family in ("trivial", "predict") for n in range(FULL[family])]
        models = []
        for number, (level, before) in enumerate(zip(levels, known, strict=True)):
            drawn = source.random(len(repaired) + len(made)) < level
            before |= {it: drawn[n] for n, it in enumerate(repaired) if it not in before}
            fresh = dict(zip(made, drawn[len(repaired) :], strict=True))
            models.append(_measured(number, before, fresh, repaired))
        yield Run(seed=week, basis="", models=tuple(models))


def _measured(number: int, known: dict[str, Any], fresh: dict[str, Any], repaired: Sequence[str]) -> Measured:
    answers: dict[str, dict[str, bool]] = {family: {} for family in CODING}
    asked = {it: passed for it, passed in known.items() if it.startswith("write")}
    for it, passed in {**asked, **{it: known[it] for it in repaired}, **fresh}.items():
        answers[it.partition("/")[0]][it] = bool(passed)
    same = Spread(median=40, low=40, high=40)
    return Measured(
        model=f"model{number}",
        weights=f"sha256:{number:064}",
        digest=f"{number:012}",
        answers=answers | {"arithmetic": {"arithmetic/0": True}},
        tokens_per_sec=same,
        ttft_ms=same,
        gpu_bytes={},
    )


def product(year: Iterator[Run]) -> list[int]:
    """Let the product choose slot 1's model week by week."""
    held, kept, after = "model0", State(), []
    for it in year:
        decision = decide(it, {1: held}, kept, lambda _: True, "")
        held, kept = decision.named(1), decision.kept
        after.append(int(held[5:]))
    return after


def full(years: int = FULL_YEARS) -> str:
    """The table of full runs, for the page."""
    source = np.random.default_rng(SEED)
    rows = ["| truth | needless switches a year, weeks to adopt |", "|---|---|"]
    for points in POINTS:
        it = figures([product(runs(source, points)) for _ in range(years)], points)
        rows.append(f"| {_truth(points)} | {_cell(it, points)} |")
    return "\n".join(rows) + "\n"


def table(years: int = YEARS) -> str:
    """The table of three rules, for the page."""
    source = np.random.default_rng(SEED)
    head = (
        "| truth | items | " + " | ".join(f"{it}: needless switches a year, weeks to adopt" for it in RULES) + " |"
    )
    rows = [head, "|" + "---|" * (len(RULES) + 2)]
    for points in POINTS:
        for items in ITEMS:
            drawn = [year(source, items, points) for _ in range(years)]
            cells = [_cell(figures([rule(it) for it in drawn], points), points) for rule in RULES.values()]
            rows.append(f"| {_truth(points)} | {items} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _truth(points: int) -> str:
    return f"+{points} points" if points else "all equal"


def _cell(it: Figures, points: int) -> str:
    if not points:
        return f"{it.needless:.2f}"
    never = "" if it.adopted == 1 else f", never in {1 - it.adopted:.1%} of years"
    weeks = "-" if it.weeks is None else f"{it.weeks:.0f}"
    return f"{it.needless:.2f}, {weeks}{never}; right in {it.share:.0%} of weeks"


def page(text: str, **tables: str) -> str:
    """The page with these tables in it, each below a comment with its name."""
    for name, rows in tables.items():
        text, found = re.subn(BLOCK.format(name), rows, text, count=1)
        if not found:
            raise SystemExit(f"{PAGE}: expected a table below a comment with {name}, found none: write one")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), weeks=table(), runs=full()), encoding="utf-8")

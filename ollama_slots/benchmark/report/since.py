"""What is other than in the last run, and how strong the evidence against each incumbent is by now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import log
from typing import NamedTuple

from ollama_slots.benchmark.choice import told
from ollama_slots.benchmark.choice.composite import FAMILIES
from ollama_slots.benchmark.choice.decide import Decision, limit
from ollama_slots.benchmark.report.rows import Row
from ollama_slots.core import names, selection
from ollama_slots.core.results import Candidate

MOST = 5  # challengers of a slot: what is far from the threshold needs no bar


class Moved(NamedTuple):
    """A composite in the last run and in this one, and the same as parts of the scale that all share."""

    row: Row
    was: float
    now: float
    left: float
    right: float
    up: bool

    @property
    def by(self) -> str:
        """The difference, with its sign."""
        return f"{round(self.now - self.was, 3) + 0.0:+.3f}"


class Since(NamedTuple):
    """What is other than in the last run.

    + ends: of the scale, by aspect
    + new, gone: models that only this run, or only that one, has both composites of
    """

    when: str
    moved: dict[str, list[Moved]]
    ends: dict[str, tuple[float, float]]
    new: list[str]
    gone: list[str]


class Bar(NamedTuple):
    """The evidence that a challenger is better.

    + share: of the way from no evidence to the threshold, on a scale of ratios; never more than 1
    """

    name: str
    figure: str
    share: float
    since: str


class Against(NamedTuple):
    """The evidence against a slot's incumbent; left_out: how many challengers have less than those."""

    slot: int
    incumbent: str
    threshold: str
    bars: list[Bar]
    left_out: int


def since(rows: Sequence[Row], before: str) -> Since | None:
    """Compare with an earlier file's composites; None where it has none.

    + before: the content of the earlier model_selection.json, or nothing

    Raises ValueError with one line where it is no selection file.
    """
    if not before:
        return None
    found = selection.parse(before).results.candidates
    if not found:
        return None
    known = _weights(before)
    by_weights = {known[it.model]: it for it in found if it.model in known}
    by_name = {names.parse(it.model).key: it for it in found}
    pairs = {it.number: by_weights.get(it.model.weights) or _named(it, by_name) for it in rows}
    moved, ends = {}, {}
    for aspect in FAMILIES:
        both = [(it, getattr(pair, aspect)) for it in rows if it.of[aspect].terms and (pair := pairs[it.number])]
        values = [value for it, value in both] + [it.of[aspect].composite for it, _ in both]
        low, high = min(values, default=0.0), max(values, default=1.0)
        low, high = (low, high) if high - low > 0.05 else (low - 0.025, high + 0.025)
        ends[aspect] = low, high
        moved[aspect] = [_moved(it, value, it.of[aspect].composite, low, high) for it, value in both]
    old = {it.model for pair in pairs.values() if (it := pair)}
    return Since(
        _when(before),
        moved,
        ends,
        [it.name for it in rows if not pairs[it.number] and all(of.terms for of in it.of.values())],
        [it.model for it in found if it.model not in old],
    )


def evidence(decision: Decision, rows: Sequence[Row], before: str) -> list[Against]:
    """Return the evidence against the incumbents, the strongest first."""
    called = {it: name for name, it in _weights(before).items()} if before else {}
    called |= {it.model.weights: it.name for it in rows}
    threshold = limit(decision.models)
    result = []
    for key, held in sorted(decision.evidence.slots.items()):
        slot = int(key.removeprefix("slot"))
        order = sorted(held.against.items(), key=lambda it: (-it[1].evidence, called.get(it[0], it[0])))
        bars = [
            Bar(
                called.get(weights, f"weights {weights[7:19]}"),
                told.figure(it.evidence) if it.evidence >= 0.01 else "less than 0.01",
                min(1.0, max(0.0, log(max(it.evidence, 1.0)) / log(threshold))),
                it.since[:10],
            )
            for weights, it in order
        ]
        had = decision.incumbents.get(slot)
        name = had.name if had else called.get(held.incumbent, held.incumbent)
        result.append(Against(slot, name, told.figure(threshold), bars[:MOST], max(0, len(bars) - MOST)))
    return result


def _moved(row: Row, was: float, now: float, low: float, high: float) -> Moved:
    left, right = sorted((it - low) / (high - low) for it in (was, now))
    return Moved(row, was, now, left, right, now >= was)


def _named(row: Row, by_name: Mapping[str, Candidate]) -> Candidate | None:
    keys = (names.parse(it).key for it in row.model.names)
    return next((by_name[key] for key in keys if key in by_name), None)


def _weights(before: str) -> dict[str, str]:
    """Return the weights of an earlier file's models, by name; another program's has none."""
    content = json.loads(before, parse_constant=lambda _: None)
    results = content.get("results") if isinstance(content, dict) else None
    of = {name: it.get("weights") for name, it in (results or {}).items() if isinstance(it, dict)}
    return {name: it for name, it in of.items() if isinstance(it, str)}


def _when(before: str) -> str:
    found = json.loads(before, parse_constant=lambda _: None).get("timestamp")
    return f"{found}"[:40] if found else "an unknown time"

"""Make the report of a run, of what it chose and of what is kept."""

from __future__ import annotations

from collections.abc import Sequence

from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.choice.decide import Decision
from ollama_slots.benchmark.report import Beside, Memory, Question, markdown, page
from ollama_slots.benchmark.run.compare import PREFIX
from ollama_slots.benchmark.run.measure import Kit
from ollama_slots.benchmark.run.week import Week


def report(of: Week, kit: Kit, decision: Decision) -> dict[str, str]:
    """Return the report's files, by name."""
    hosts = {name: it.kind for name, it in of.rooms.items()}
    beside = Beside(of.before.file, _questions(of, kit, decision), _memory(of, decision), hosts)
    return {"report.html": page(decision, beside), "report.md": markdown(decision, beside)}


def _questions(of: Week, kit: Kit, decision: Decision) -> Sequence[Question]:
    said: dict[str, dict[str, str]] = {it.id: {} for it in kit.items}
    for model in decision.models:
        weights = model.weights.removeprefix(PREFIX)
        with Kept(kit.directory, weights, of.seed) as kept:
            for item in kit.items:
                if found := kept.found(item, of.models[weights].digest):
                    said[item.id][model.weights] = found.text
    return [Question(it.id, it.prompt, said[it.id]) for it in kit.items]


def _memory(of: Week, decision: Decision) -> Memory | None:
    """Return what the host of the least GPU memory has, and what its other slots take; None: it is not known.

    What shares weights with a model that is chosen is that one's runner.
    """
    if not of.rooms or not of.least.cards:
        return None
    least = of.least
    chosen = {it.weights.removeprefix(PREFIX) for it in decision.chosen.values()}
    others = sum(it.held - it.computed for weights, it in least.others.items() if weights not in chosen)
    return Memory(least.bytes, {"other slots": others} if others else {})

"""The report of a choice: one page that opens from disk, and the same as Markdown. Pure: it writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ollama_slots.benchmark.choice import composite
from ollama_slots.benchmark.choice.composite import FAMILIES
from ollama_slots.benchmark.choice.decide import Decision, limit
from ollama_slots.benchmark.choice.told import figure
from ollama_slots.benchmark.report import answer, differ, foreign, since
from ollama_slots.benchmark.report.differ import Question
from ollama_slots.benchmark.report.memory import Memory, stack
from ollama_slots.benchmark.report.rows import FEW, SLOT_OF, deep, gigabytes, number, rows, spread
from ollama_slots.benchmark.report.tradeoff import FRAME, HEIGHT, WIDTH, plot

TERMS = ("quality", "speed", "latency")


class Beside(NamedTuple):
    """What is told beside the choice, as far as there is any.

    + before: the content of the model_selection.json that was there before
    + questions: the items, with answers
    + memory: of the smallest host
    + versions: of whatever took part, by its name
    """

    before: str = ""
    questions: Sequence[Question] = ()
    memory: Memory | None = None
    versions: Mapping[str, str] = {}


NOTHING = Beside()


def page(decision: Decision, beside: Beside = NOTHING) -> str:
    """Return the report as HTML: without script, and without anything from elsewhere.

    Raises ValueError with one line where what was there before is no selection file.
    """
    return _html().get_template("page.html.j2").render(_values(decision, beside))


def markdown(decision: Decision, beside: Beside = NOTHING) -> str:
    """Return the report as Markdown. Raises ValueError as a page does."""
    return _markdown().get_template("page.md.j2").render(_values(decision, beside))


def _values(decision: Decision, beside: Beside) -> dict[str, Any]:
    models = rows(decision)
    return {
        "decision": decision,
        "rows": models,
        "answers": answer.answers(decision, models),
        "aside": answer.aside(decision, models),
        "aspects": FAMILIES,
        "slot_of": SLOT_OF,
        "plots": [plot(models, aspect) for aspect in FAMILIES],
        "terms": TERMS,
        "spans": {aspect: _spans([it.of[aspect].terms for it in models]) for aspect in FAMILIES},
        "unasked": [
            it for of in FAMILIES.values() for it in of if not any(row.model.answers.get(it) for row in models)
        ],
        "deep": deep(models),
        "memory": stack(models, beside.memory),
        "since": since.since(models, beside.before),
        "evidence": since.evidence(decision, models, beside.before),
        "differences": differ.differences(decision, models, beside.questions),
        "questions": len(beside.questions),
        "versions": dict(sorted(beside.versions.items())),
        "threshold": figure(limit(decision.models)),
        "few": FEW,
        "weights": (composite.QUALITY, composite.SPEED, composite.LATENCY),
        "size": (WIDTH, HEIGHT),
        "frame": FRAME,
    }


def _spans(terms: Sequence[tuple[float, float, float] | None]) -> list[float]:
    """Return by how much models differ at the most in each term."""
    known = [it for it in terms if it]
    return [max(of) - min(of) for of in zip(*known, strict=True)]


def _environment(**more: Any) -> Environment:
    found = Environment(
        loader=PackageLoader("ollama_slots.benchmark.report", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **more,
    )
    found.filters |= {"number": number, "spread": spread, "gb": gigabytes}
    return found


@cache
def _html() -> Environment:
    """Whatever is filled in is plain, and escaped."""
    return _environment(autoescape=True, finalize=lambda it: foreign.plain(it) if type(it) is str else it)


@cache
def _markdown() -> Environment:
    """Whatever is filled in is escaped for a line of Markdown, but what is marked as such already."""
    found = _environment(autoescape=False, finalize=lambda it: it if isinstance(it, Markup) else foreign.line(it))
    found.filters["fenced"] = lambda text: Markup(foreign.fenced(text))
    return found

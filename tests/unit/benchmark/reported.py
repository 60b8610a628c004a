"""A made-up run with all that a report may tell, and readers of pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from ollama_slots.benchmark.choice import file
from ollama_slots.benchmark.choice.decide import Decision, decide
from ollama_slots.benchmark.choice.measured import Depth, Measured
from ollama_slots.benchmark.choice.state import State
from ollama_slots.benchmark.report import Beside, Memory, Question
from tests.unit.benchmark.measured import SEED, WHEN, fit_all, model, run, spread

GB = 10**9
VOID = {"meta", "br", "img", "link", "input", "hr", "line", "path", "circle", "polyline"}
HAD = {1: "coder:14b", 2: "talker:8b", 3: "third:16b"}
FAILED = {"huge:70b": "does not fit"}


# Of one model alone: of others it could not be measured.
DEEP = tuple(
    Depth(tokens=it, tokens_per_sec=spread(speed), ttft_ms=spread(it)) for it, speed in ((8192, 63), (24576, 49))
)


def models(seed: int = 0, coding: float = 0.95) -> list[Measured]:
    return [
        model("coder:14b", 0.8, 0.7, seed=seed, speed=70, ttft=312, size=15 * GB).model_copy(
            update={"at_depth": DEEP}
        ),
        model("better:30b", coding, 0.7, seed=seed, speed=70, ttft=312, size=19 * GB),
        model(
            "talker:8b", 0.6, 0.8, seed=seed, speed=72, ttft=180, size=7 * GB, also_named=("talker:8b-instruct",)
        ),
        model("twin:8b", 0.6, 0.8, alike="talker:8b", seed=seed, speed=72, ttft=180, size=7 * GB),
        model("third:16b", 0.7, 0.75, seed=seed, speed=45, ttft=200, size=9 * GB),
        model("junk:135m", 0.1, 0.1, seed=seed, speed=240, ttft=20, size=GB // 2),
        model("dropped:7b", 0.5, 0.5, seed=seed, items=0.15, size=5 * GB),
    ]


def weekly(seed: int = 0, before: State | None = None, **rest: float) -> Decision:
    made = run(*models(seed, **rest), seed=SEED + seed, failed=FAILED)
    return decide(made, HAD, before or State(), fit_all, WHEN)


def questions(decision: Decision, text: str = "an answer of {}") -> list[Question]:
    ids = [it for family in decision.models[0].answers.values() for it in family]
    said = {it.weights: text.replace("{}", it.model) for it in decision.models}
    return [Question(it, f"What is {it}?", said) for it in ids]


def everything() -> tuple[Decision, Beside]:
    """Week two: a slot changes, another one ties."""
    first = weekly(0, coding=0.8)
    second = weekly(1, first.kept)
    memory = Memory(48 * GB, {"slot 4: small:1b": GB})
    return second, Beside(file.text(first), questions(second), memory, {"Ollama": "0.34.4"})


class Page(HTMLParser):
    """A page: its elements, with attributes; its text; and what is not closed as it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [of[attribute] for _, of in self.elements if attribute in of]


def cells(row: str) -> list[str]:
    return [it.strip() for it in re.split(r"(?<!\\)\|", row.strip())[1:-1]]


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a page of Markdown, outside of its blocks of code."""
    found: list[list[list[str]]] = []
    fence = ""
    within = False
    for line in text.split("\n"):
        opened = re.match(r"(`{3,})(text)?$", line)
        if fence or opened:
            fence = "" if line == fence else fence or (opened[1] if opened else "")
            within = False
        elif line.startswith("|"):
            if not within:
                found.append([])
            within = True
            found[-1].append(cells(line))
        else:
            within = False
    assert not fence, "a block of code is not ended"
    return found

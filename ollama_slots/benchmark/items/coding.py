"""Families of programs: write a function, repair one, say what one returns."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from ollama_slots.benchmark.items import extract, functions, programs
from ollama_slots.benchmark.items.item import Answer, ByTests, Item, NotAnsweredError, stream
from ollama_slots.benchmark.items.mutate import mutants
from ollama_slots.benchmark.items.task import Task

BLOCK = "Answer with one code block that has the whole function in it, and nothing else."
WRITE = f"Complete this Python function. {BLOCK}"
REPAIR = f"This Python function has one bug, in one place. Correct it. {BLOCK}"
PREDICT = "What does this Python function return when it is called as `f()`?"


class Returned(NamedTuple):
    """The last line says what a function returns, as Python writes it."""

    value: str

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        text = extract.last_line(answer.text)
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError, OverflowError):
            raise NotAnsweredError(f"expected a value of Python's, found {text[:60]!r}") from None
        return "" if repr(found) == self.value else f"expected {self.value}, found {text[:60]}"


def trivial(seed: int, count: int) -> list[Item]:
    """Return functions of a line or two, of which nobody has seen these very ones."""
    return [_write(f"trivial/{n}", task) for n, task in enumerate(functions.tasks(seed, count))]


def write(seed: int, count: int, tasks: Sequence[Task]) -> list[Item]:
    """Return tasks of HumanEval, which everybody may have seen."""
    drawn = stream(seed, "write").sample(tasks, len(tasks))[:count]
    return [_write(f"write/{task.id}", task) for task in drawn]


def repair(seed: int, count: int, tasks: Sequence[Task]) -> list[Item]:
    """Return solutions with a bug that their tests catch, one at most of each task."""
    random = stream(seed, "repair")
    drawn = random.sample([it for it in tasks if it.mutants], sum(bool(it.mutants) for it in tasks))
    items = []
    for task in drawn[:count]:
        number = stream(seed, "repair", task.id).choice(task.mutants)
        broken = mutants(task.whole, task.prompt)[number]
        items.append(_tested(f"repair/{task.id}.{number}", f"{REPAIR}\n\n{block(broken)}", task))
    return items


def predict(seed: int, count: int) -> list[Item]:
    """Return programs that were made up, of three degrees; what they return is known by how they are made."""
    items = []
    for n in range(count):
        source, value = programs.program(stream(seed, "predict", n), 1 + n % 3)
        prompt = f"{PREDICT}\n\n{block(source)}\n\n{extract.ASKED_FOR.format('value, as Python writes it')}"
        reference = Answer(f"{extract.LINE} {value!r}")
        items.append(Item(f"predict/{n}", prompt, Returned(repr(value)), 1024, reference))
    return items


def block(source: str) -> str:
    """Return a program as a code block."""
    return f"```python\n{source.strip()}\n```"


def _write(name: str, task: Task) -> Item:
    return _tested(name, f"{WRITE}\n\n{block(task.prompt)}", task)


def _tested(name: str, prompt: str, task: Task) -> Item:
    check = ByTests(task.prompt, task.name, task.tests)
    return Item(name, prompt, check, 1024, Answer(block(task.whole)))

"""The sandbox, built once on a machine and kept in the user's cache directory."""

from collections.abc import Iterator

import pytest

from ollama_slots.benchmark import humaneval
from ollama_slots.benchmark.grader import Grader
from ollama_slots.benchmark.items.task import Task
from ollama_slots.benchmark.sandbox import build
from ollama_slots.benchmark.sandbox.process import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(build.sandbox())
    yield made
    made.close()


@pytest.fixture(scope="session")
def tasks() -> tuple[Task, ...]:
    return humaneval.load()


@pytest.fixture(scope="session")
def grader(tasks: tuple[Task, ...]) -> Iterator[Grader]:
    with Grader(tasks) as made:
        yield made

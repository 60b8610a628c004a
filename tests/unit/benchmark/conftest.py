"""The sandbox, built once on a machine and kept in the user's cache directory."""

from collections.abc import Iterator

import pytest

from ollama_slots.benchmark.sandbox import build
from ollama_slots.benchmark.sandbox.process import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(build.sandbox())
    yield made
    made.close()

import os
from pathlib import Path

import pytest
from hypothesis import settings

from ollama_slots.core.published import Unknown
from ollama_slots.registry.client import Client
from tests.unit.world import World

# Templates are found from the project's root, as pyinfra runs there.
os.chdir(Path(__file__).parents[2])

# No deadline: other work may hold the processor. No database and no chance: a run is as the last one was.
settings.register_profile("unit", deadline=None, database=None, derandomize=True, max_examples=100)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test asks nobody outside this machine; what a registry says is up to the test."""
    monkeypatch.setattr(Client, "ask", lambda *_, **__: Unknown("a unit test asks nobody"))


@pytest.fixture
def ready() -> World:
    """A host on which everything is as declared."""
    from tests.unit.deploys import ALL, run  # noqa: PLC0415 (it declares slots, which needs the directory above)

    world = World()
    assert not run(world, *ALL).failed
    return world

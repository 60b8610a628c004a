import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.unit.world import World

# Templates are found from the project's root, as pyinfra runs there.
os.chdir(Path(__file__).parents[2])

# No deadline: other work may hold the processor. No database and no chance: a run is as the last one was.
settings.register_profile("unit", deadline=None, database=None, derandomize=True, max_examples=100)
settings.load_profile("unit")


@pytest.fixture
def ready() -> World:
    """A host on which everything is as declared."""
    from tests.unit.deploys import ALL, run  # noqa: PLC0415 (it declares slots, which needs the directory above)

    world = World()
    assert not run(world, *ALL).failed
    return world

import os
from pathlib import Path

from hypothesis import settings

# Templates are found from the project's root, as pyinfra runs there.
os.chdir(Path(__file__).parents[2])

# No deadline: other work may hold the processor. No database and no chance: a run is as the last one was.
settings.register_profile("unit", deadline=None, database=None, derandomize=True, max_examples=100)
settings.load_profile("unit")

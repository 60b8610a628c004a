"""How far a run is, in words."""

import pytest

from ollama_slots.benchmark.asking.progress import progress


@pytest.mark.parametrize(
    ("done", "asked", "seconds", "said"),
    [
        (40, 40, 100.0, "slot one: 40 of 640 items, about 25 min left"),
        (640, 600, 100.0, "slot one: 640 of 640 items"),
        (620, 20, 50.0, "slot one: 620 of 640 items, about 50 s left"),
        (600, 20, 1000.0, "slot one: 600 of 640 items, about 33 min left"),
        (20, 20, 400.0, "slot one: 20 of 640 items, about 3 h 27 min left"),
        (639, 639, 0.001, "slot one: 639 of 640 items, about 1 s left"),
        (7, 0, 9.0, "slot one: 7 of 640 items"),
    ],
)
def test_it_is_said_by_the_pace_of_this_run(done: int, asked: int, seconds: float, said: str) -> None:
    assert progress("slot one", done, 640, asked, seconds) == said

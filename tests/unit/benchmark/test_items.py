"""The same seed gives the same items, whatever else is asked; another seed gives others."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from ollama_slots.benchmark.items import draw
from ollama_slots.benchmark.items.draw import CODING, FULL, GENERAL, QUICK, items
from ollama_slots.benchmark.items.task import Task

SEEDS = st.integers(0, 10**9)
WINDOW = 2048


def drawn(seed: int, tasks: tuple[Task, ...], sizes: dict[str, int] = QUICK) -> bytes:
    return repr(items(seed, WINDOW, tasks, sizes)).encode()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tasks: tuple[Task, ...], seed: int) -> None:
    assert drawn(seed, tasks) == drawn(seed, tasks)
    for family in QUICK:
        one, other = (items(it, WINDOW, tasks, {family: 6}) for it in (seed, seed + 1))
        assert [it.prompt for it in one] != [it.prompt for it in other], family


def test_items_are_the_same_in_every_python(tasks: tuple[Task, ...]) -> None:
    """A change of any item is a new set of items: results of before cannot be compared with those of after."""
    assert hashlib.sha256(drawn(1, tasks, FULL)).hexdigest()[:12] == "aae58e9072de"


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.data())
def test_no_family_changes_another(tasks: tuple[Task, ...], seed: int, data: st.DataObject) -> None:
    whole = items(seed, WINDOW, tasks, QUICK)
    family = data.draw(st.sampled_from(sorted(QUICK)))
    fewer = items(seed, WINDOW, tasks, {**QUICK, family: 1})
    assert [it for it in fewer if it.family != family] == [it for it in whole if it.family != family]
    assert [it for it in fewer if it.family == family] == [it for it in whole if it.family == family][:1]
    assert items(seed, WINDOW, tasks, {family: QUICK[family]}) == [it for it in whole if it.family == family]


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_a_quick_run_asks_the_first_items_of_a_full_one(tasks: tuple[Task, ...], seed: int) -> None:
    full, quick = items(seed, WINDOW, tasks), items(seed, WINDOW, tasks, QUICK)
    for family, count in QUICK.items():
        assert [it for it in quick if it.family == family] == [it for it in full if it.family == family][:count]


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_there_are_as_many_as_are_asked_for_and_no_two_are_one(tasks: tuple[Task, ...], seed: int) -> None:
    full = items(seed, WINDOW, tasks)
    assert {family: sum(it.family == family for it in full) for family in FULL} == FULL
    assert len({it.id for it in full}) == len(full)
    repaired = [it.id.partition(".")[0] for it in full if it.family == "repair"]
    assert len(set(repaired)) == len(repaired)
    long = [
        it.prompt for it in full if it.family in ("predict", "problems", "retrieval", "choice", "repair", "write")
    ]
    assert len(set(long)) == len(long)


def test_every_family_is_coding_or_general() -> None:
    assert sorted(FULL) == sorted(QUICK) == sorted(CODING + GENERAL)
    assert all(QUICK[it] <= FULL[it] for it in FULL)
    assert draw.FULL["write"] == 164

"""Evidence: none for equals, more for each item won, valid whenever it is looked at; and races by it."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollama_slots.benchmark.choice import evidence, race, slots
from ollama_slots.benchmark.choice.evidence import BETS, BEYOND_DOUBT, Tally, Wealth, bet
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.benchmark.items.draw import CODING, GENERAL
from tests import weeks
from tests.unit.benchmark.measured import model

COUNTS = st.integers(0, 2000)
AHEAD = st.floats(-0.55, 0.55)
START = (0.0,) * len(BETS)


def of(tally: Tally, ahead: float = 0.0) -> float:
    return Wealth(since="", logs=bet(START, tally, ahead)).evidence


@given(COUNTS)
def test_items_that_tell_nothing_apart_are_no_evidence(even: int) -> None:
    assert bet(START, Tally(0, 0, even)) == START
    assert of(Tally(0, 0, even)) == 1


@given(COUNTS, COUNTS, COUNTS, AHEAD)
def test_each_item_won_is_more_evidence_and_each_lost_is_less(
    won: int, lost: int, even: int, ahead: float
) -> None:
    now = bet(START, Tally(won, lost, even), ahead)
    more, less = bet(START, Tally(won + 1, lost, even), ahead), bet(START, Tally(won, lost + 1, even), ahead)
    assert all(one > other for one, other in zip(more, less, strict=True))
    if abs(ahead) < 0.44:  # beyond that speed decides, whatever the answers
        assert all(one > it > other for one, it, other in zip(more, now, less, strict=True))


@given(COUNTS, COUNTS, COUNTS, AHEAD, st.floats(0.001, 0.1))
def test_the_further_ahead_in_speed_the_more_evidence(
    won: int, lost: int, even: int, ahead: float, by: float
) -> None:
    tally = Tally(won, lost, even)
    assert bet(START, tally, ahead + by) >= bet(START, tally, ahead)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), max_size=5))
def test_runs_one_after_the_other_are_as_all_at_once(runs: list[tuple[int, int, int]]) -> None:
    logs: tuple[float, ...] = START
    for it in runs:
        logs = bet(logs, Tally(*it))
    whole = bet(START, Tally(*(sum(it[n] for it in runs) for n in range(3))))
    assert logs == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("ahead", [-0.3, -0.045, 0, 0.045, 0.3])
def test_odds_are_fair_where_speed_makes_up_for_answers(ahead: float) -> None:
    """A model that is worse in the answers by what it is ahead in speed: no bet is expected to win or lose."""
    needed = -ahead / 0.45  # the mean difference of an item at which both composites are equal
    won, lost = max(0.0, needed), max(0.0, -needed)
    logs = [bet(START, it, ahead) for it in (Tally(1, 0, 0), Tally(0, 1, 0), Tally(0, 0, 1))]
    for at in range(len(BETS)):
        growth = [2.718281828459045 ** it[at] for it in logs]
        assert won * growth[0] + lost * growth[1] + (1 - won - lost) * growth[2] == pytest.approx(1, abs=1e-6)


def test_equals_are_told_apart_by_mistake_in_one_of_twenty_at_the_most() -> None:
    """Looked at after each of 200 items, in 1,000 trials: the bound is for all looks together."""
    source, wrong = Random(1), 0
    one = {it: bet(START, tally) for it, tally in ((1, Tally(1, 0, 0)), (-1, Tally(0, 1, 0)), (0, Tally(0, 0, 1)))}
    for _ in range(1000):
        logs: tuple[float, ...] = START
        for _ in range(200):
            step = one[(source.random() < 0.7) - (source.random() < 0.7)]
            logs = tuple(a + b for a, b in zip(logs, step, strict=True))
            if Wealth(since="", logs=logs).evidence >= BEYOND_DOUBT:
                wrong += 1
                break
    assert 0 < wrong <= 1000 / 20


def test_a_year_of_equals_changes_nothing_where_the_highest_score_changes_half_of_all_weeks() -> None:
    source = weeks.np.random.default_rng(1)
    drawn = [weeks.year(source, 300, 0) for _ in range(40)]
    needless = {name: weeks.figures([rule(it) for it in drawn], 0).needless for name, rule in weeks.RULES.items()}
    assert needless["highest score"] > 26
    assert needless["paired test"] > 1
    assert needless["evidence"] < 0.1


def test_a_year_finds_what_is_better_by_six_points_in_weeks() -> None:
    source = weeks.np.random.default_rng(1)
    found = weeks.figures([weeks.evidence(weeks.year(source, 300, 6)) for _ in range(40)], 6)
    assert found.adopted == 1
    assert found.weeks is not None
    assert found.weeks <= 4


def number(item: str) -> float:
    return float(item.partition("/")[2])


def part(whole: Measured, share: float) -> Measured:
    """The first items of each family."""
    answers = {
        family: {id_: it[id_] for id_ in sorted(it, key=number)[: round(share * len(it))]}
        for family, it in whole.answers.items()
    }
    return whole.model_copy(update={"answers": answers})


def slots_open(candidate: Measured, share: float, holder: Measured) -> list[int]:
    by = slots.scales([holder, candidate])
    return race.open_to(part(candidate, share), {1: holder, 2: holder, 3: holder}, by)


def test_a_race_drops_the_loser_and_keeps_the_others() -> None:
    holder = model("holder", 0.85, 0.85)
    assert slots_open(model("far", 0.45, 0.45), 0.2, holder) == []
    assert slots_open(model("coder", 0.85, 0.45), 0.5, holder) == [1]
    assert slots_open(model("close", 0.83, 0.83), 1, holder) == [1, 2, 3]
    assert slots_open(model("better", 0.95, 0.95), 1, holder) == [1, 2, 3]
    assert race.open_to(model("far", 0.45, 0.45), {1: holder, 2: holder}, slots.scales([holder])) == [3]


@given(st.floats(0.2, 1), st.floats(0.1, 1), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_race_never_drops_a_perfect_tie(level: float, share: float, seed: int) -> None:
    holder, twin = (model(it, level, level, alike="one", seed=seed) for it in ("holder", "twin"))
    assert slots_open(twin, share, holder) == [1, 2, 3]


def test_nothing_counts_twice_in_whichever_order() -> None:
    ours, theirs = model("a", 0.9), model("b", 0.8)
    families = (*CODING, *GENERAL)
    whole = evidence.after(Wealth(since=""), ours, theirs, families, 7, 0)
    half = evidence.after(Wealth(since=""), part(ours, 0.5), theirs, families, 7, 0)
    then = evidence.after(half, ours, theirs, families, 7, 0)
    assert half != whole
    assert then.counted == whole.counted
    assert then.logs == pytest.approx(whole.logs)
    assert evidence.after(then, ours, theirs, families, 7, 0.2) is then

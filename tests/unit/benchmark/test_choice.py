"""Which models get slots 1 to 3: the incumbents, unless another is better beyond doubt; a set that fits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollama_slots.benchmark.choice import state, told
from ollama_slots.benchmark.choice.decide import Three, decide, limit
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.benchmark.choice.state import State
from tests.unit.benchmark.measured import SEED, WHEN, decided, fit_all, model, run, slots

HAD = {1: "incumbent:7b", 2: "incumbent:7b", 3: "third:7b"}


def three(seed: int = 0, **challenger: float) -> list[Measured]:
    better = model("challenger:7b", seed=seed, **challenger)  # type: ignore[arg-type]
    return [model("incumbent:7b", seed=seed), better, model("third:7b", seed=seed)]


def test_without_incumbents_the_seeds_rules_choose() -> None:
    """Slot 1 coding, slot 2 general, slot 3 the mean of both of those that are left."""
    models = [model("coder", 0.9, 0.6), model("talker", 0.6, 0.9), model("even", 0.7, 0.7), model("low", 0.6, 0.6)]
    assert slots(decided(*models)) == ["coder", "talker", "even"]


def test_one_model_may_have_slots_1_and_2() -> None:
    assert slots(decided(model("best", 0.9, 0.9), model("next", 0.8, 0.8))) == ["best", "best", "next"]


@given(st.sampled_from(["incumbent:7b", "challenger:7b"]), st.integers(1, 5), st.floats(0.1, 1))
@settings(max_examples=20, deadline=None)
def test_a_perfect_tie_never_switches_in_either_direction(holder: str, weeks: int, level: float) -> None:
    """The same answers at the same speed: evidence is 1, exactly, after any number of weeks."""
    before = State()
    had = {1: holder, 2: holder, 3: "third:7b"}
    for week in range(weeks):
        models = [model(it, level, level, alike="one", seed=week) for it in ("incumbent:7b", "challenger:7b")]
        decision = decided(
            *models, model("third:7b", level, level, seed=week), had=had, before=before, seed=SEED + week
        )
        assert slots(decision) == [holder, holder, "third:7b"]
        other = next(it for it in decision.models if it.model not in {holder, "third:7b"})
        assert [decision.evidence.of(slot, other) for slot in (1, 2)] == [1, 1]
        assert other.model in told.choice(decision, 1)["tied"]
        before = decision.kept


@pytest.mark.parametrize("holder", ["incumbent:7b", "challenger:7b"])
def test_what_is_a_little_better_in_one_run_does_not_switch(holder: str) -> None:
    levels = {"incumbent:7b": 0.8, "challenger:7b": 0.8} | {holder: 0.79}
    models = [model(name, level, level) for name, level in levels.items()]
    decision = decided(*models, model("third:7b", 0.6, 0.6), had={1: holder, 2: holder, 3: "third:7b"})
    assert decision.named(1) == holder
    assert "no model is better beyond doubt" in told.choice(decision, 1)["why"]


def test_what_is_much_better_switches_and_the_file_says_why() -> None:
    decision = decided(*three(coding=0.95), had=HAD)
    assert slots(decision) == ["challenger:7b", "incumbent:7b", "third:7b"]
    said = told.choice(decision, 1)
    assert said["was"] == "incumbent:7b"
    assert said["why"].startswith("better than incumbent:7b beyond doubt (evidence ")
    assert "slot1" not in decision.kept.slots, "evidence against a model that has lost the slot is kept"
    assert "slot2" in decision.kept.slots


def test_evidence_accumulates_over_weeks_until_it_suffices() -> None:
    before, chosen = State(), []
    for week in range(12):
        levels = {"incumbent:7b": 0.8, "challenger:7b": 0.86, "third:7b": 0.8}
        models = [model(name, level, seed=week) for name, level in levels.items()]
        decision = decided(*models, had=HAD, before=before, seed=SEED + week)
        before = decision.kept
        chosen.append(decision.named(1))
        if chosen[-1] != "incumbent:7b":
            break
    assert len(chosen) > 2, "6 points are beyond doubt at once"
    assert chosen[-1] == "challenger:7b", f"{len(chosen)} weeks, and no switch"


def test_the_same_run_again_is_no_new_evidence() -> None:
    models = three(coding=0.84)
    first = decided(*models, had=HAD)
    again = decided(*models, had=HAD, before=first.kept)
    assert first.evidence.of(1, models[1]) > 1
    assert again.evidence == first.evidence
    assert slots(again) == slots(first) == ["incumbent:7b", "incumbent:7b", "third:7b"]


def test_of_a_new_seed_what_comes_from_pools_counts_once() -> None:
    first = decided(*three(coding=0.84), had=HAD)
    again = decided(*three(coding=0.84, seed=1), had=HAD, before=first.kept, seed=SEED + 1)
    counted = again.evidence.slots["slot1"].against[again.models[0].weights].counted
    assert counted.upto == {
        f"{seed}/{it}": n for seed in (SEED, SEED + 1) for it, n in (("predict", 60), ("trivial", 24))
    }
    assert 6 * (164 + 96) < len(counted.pool) < 6 * (164 + 2 * 96), (
        "write, and some of repair, are the same questions"
    )


def test_evidence_begins_anew_on_another_basis_and_against_another_incumbent() -> None:
    first, later = decided(*three(coding=0.84), had=HAD), three(seed=1, coding=0.84)
    fresh = decide(run(*later, seed=SEED + 1, basis="2"), HAD, State(), fit_all, WHEN)
    other = decide(run(*later, seed=SEED + 1, basis="2"), HAD, first.kept, fit_all, WHEN)
    assert other.evidence == fresh.evidence
    turned = HAD | {1: "challenger:7b"}
    now = decided(*later, had=turned, before=first.kept, seed=SEED + 1).evidence.slots
    assert now["slot1"] == decided(*later, had=turned, seed=SEED + 1).evidence.slots["slot1"]
    assert now["slot2"] != decided(*later, had=turned, seed=SEED + 1).evidence.slots["slot2"]


def test_beyond_doubt_is_20_for_each_other_model() -> None:
    assert [limit(three()[:count]) for count in (1, 2, 3)] == [20, 20, 40]


def test_a_challenger_that_is_worse_this_week_waits() -> None:
    """Evidence of former weeks does not carry a model that has become worse."""
    much = decided(*three(coding=0.95), had=HAD)
    worse = decided(*three(coding=0.79), had=HAD, before=State(basis="1", slots=much.evidence.slots))
    assert worse.evidence.of(1, worse.models[0]) > 40
    assert worse.named(1) == "incumbent:7b"


def test_an_incumbent_below_the_floor_loses_its_slot() -> None:
    decision = decided(model("incumbent:7b", 0.2, 0.8, speed=400), *three()[1:], had=HAD)
    assert decision.named(1) == "challenger:7b"
    assert "passed 20% of the coding items, and the floor is 40%" in told.choice(decision, 1)["why"]


@pytest.mark.parametrize("failed", [{}, {"incumbent:7b": "it does not fit"}])
def test_slot_3_loses_its_model_to_a_free_slot_for_no_tie(failed: dict[str, str]) -> None:
    """Without an incumbent, or where it failed, the next best gets the slot: one switch, not two."""
    models = [model("third:7b"), model("free:7b", 0.79, 0.79), model("low:7b", 0.6, 0.6)]
    had = HAD if failed else {3: "third:7b"}
    decision = decide(run(*models, failed=failed), had, State(), fit_all, WHEN)
    assert slots(decision) == ["free:7b", "free:7b", "third:7b"]
    said = told.choice(decision, 1)
    assert said["why"].endswith("but for third:7b, which has slot 3 and is not better beyond doubt")
    assert "passed_over" not in said
    assert "third:7b" in said["tied"]


def test_slot_3_loses_its_model_to_a_free_slot_where_it_is_better_beyond_doubt() -> None:
    decision = decided(
        model("third:7b", 0.95, 0.8), model("free:7b"), model("low:7b", 0.6, 0.6), had={3: "third:7b"}
    )
    assert slots(decision) == ["third:7b", "free:7b", "low:7b"]
    assert "but for" not in told.choice(decision, 1)["why"]


def test_slot_3_need_not_be_spared_where_another_model_takes_its_place_anyway() -> None:
    models = [model("third:7b", 0.9, 0.5), model("next:7b", 0.89, 0.95), model("last:7b", 0.88, 0.94)]
    decision = decided(*models, had={3: "third:7b"})
    assert slots(decision) == ["third:7b", "next:7b", "last:7b"]


def test_an_incumbent_that_failed_loses_its_slot_and_one_that_is_missing_ends_the_choice() -> None:
    models = three()[1:]
    models.append(model("fourth:7b", 0.7, 0.7))
    failed = {"incumbent:7b": "it does not fit"}
    decision = decide(run(*models, failed=failed), HAD, State(), fit_all, WHEN)
    assert slots(decision) == ["challenger:7b", "challenger:7b", "third:7b"]
    assert "was not measured, it does not fit" in told.choice(decision, 1)["why"]
    with pytest.raises(ValueError, match="slot1_coding: expected results of incumbent:7b, which has the slot"):
        decided(*models, had=HAD)


def test_an_incumbent_keeps_the_name_that_it_has_there() -> None:
    twin = model("incumbent:7b-instruct", weights="incumbent:7b", alike="incumbent:7b")
    decision = decided(*three(), twin, had=HAD | {1: "incumbent:7b-instruct"})
    assert slots(decision) == ["incumbent:7b-instruct", "incumbent:7b", "third:7b"]


def test_slot_3_never_has_the_weights_of_slots_1_and_2() -> None:
    twin = model("best:x", 0.9, 0.9, weights="best", alike="best")
    decision = decided(model("best", 0.9, 0.9), twin, model("next", 0.5, 0.5))
    assert slots(decision) == ["best", "best", "next"]
    with pytest.raises(ValueError, match="expected a model for each slot, and another one for slot 3"):
        decided(model("best", 0.9, 0.9), twin)


@given(st.integers(20, 100), st.lists(st.integers(5, 40), min_size=3, max_size=6))
@settings(max_examples=40, deadline=None)
def test_the_set_fits_and_is_the_first_that_does(room: int, sizes: list[int]) -> None:
    """No set that fits has a better model in slot 1, nor then in slot 2, nor then in slot 3."""
    models = [
        model(f"m{n}", 0.9 - n / 12, 0.6 + (n * 7 % 5) / 20, size=size, items=0.1) for n, size in enumerate(sizes)
    ]

    def fits(three: Three) -> bool:
        return sum({it.weights: it.gpu_bytes[1] for it in three}.values()) <= room

    sets = [
        (one, two, three)
        for one in models
        for two in models
        for three in models
        if three not in (one, two) and fits((one, two, three))
    ]
    if not sets:
        with pytest.raises(ValueError, match="expected models that fit into GPU memory beside slot 4's"):
            decide(run(*models), {}, State(), fits, WHEN)
        return
    decision = decide(run(*models), {}, State(), fits, WHEN)

    def score(three: Three) -> tuple[float, float, float]:
        of = [decision.scores[it.weights] for it in three]
        return of[0].coding, of[1].general, (of[2].coding + of[2].general) / 2

    got = decision.chosen[1], decision.chosen[2], decision.chosen[3]
    assert fits(got)
    assert score(got) == max(map(score, sets))


def test_a_better_model_that_does_not_fit_is_told_and_the_incumbent_stays() -> None:
    models = three(coding=0.95)
    decision = decide(run(*models), HAD, State(), lambda it: models[1] not in it, WHEN)
    said = told.choice(decision, 1)
    assert said["model"] == "incumbent:7b"
    assert said["why"].startswith("stays: what is better does not fit (challenger:7b +0.0")
    assert said["passed_over"] == {"challenger:7b": "does not fit into GPU memory with what the other slots need"}
    assert any("not challenger:7b: does not fit" in line for line in told.lines(decision))


def test_a_dropped_candidate_is_not_chosen_and_its_answers_count_all_the_same() -> None:
    dropped = model("challenger:7b", 0.99, 0.99, items=0.5)
    decision = decided(model("incumbent:7b"), dropped, model("third:7b", 0.6, 0.6), had=HAD)
    assert decision.named(1) == "incumbent:7b"
    assert decision.evidence.of(1, dropped) > 40
    assert told.choice(decision, 1)["passed_over"]["challenger:7b"] == "answered 172 of 344 coding items"


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([], "expected results of at least one model, found none"),
        (
            [model("a", 0, 0.5), model("b", 0, 0.5), model("c", 0, 0.5)],
            "expected a model that answers coding items",
        ),
        (
            [model("a", 0.5, 0), model("b", 0.5, 0), model("c", 0.5, 0)],
            "expected a model that answers general items",
        ),
        ([model("a")], "expected a model for each slot, and another one for slot 3"),
    ],
)
def test_nothing_is_chosen_from_a_run_that_measured_nothing_and_never_half(
    models: list[Measured], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        decided(*models)
    assert "\n" not in str(raised.value)


def test_evidence_is_read_as_it_was_written() -> None:
    kept = decided(*three(coding=0.84), had=HAD).kept
    assert state.State.model_validate_json(kept.model_dump_json()) == kept

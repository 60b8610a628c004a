"""The parts of the report: what they show, and where."""

import json
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollama_slots.benchmark.choice import file
from ollama_slots.benchmark.choice.composite import composite
from ollama_slots.benchmark.choice.decide import Decision, decide
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.benchmark.choice.state import State
from ollama_slots.benchmark.report import answer, differ, since, tradeoff
from ollama_slots.benchmark.report.labels import LITTLE
from ollama_slots.benchmark.report.memory import Memory, stack
from ollama_slots.benchmark.report.rows import Row, Share, rows
from tests.unit.benchmark.measured import WHEN, decided, fit_all, model, run
from tests.unit.benchmark.reported import GB, HAD, everything, questions, weekly


def of(*models: Measured, had: dict[int, str] | None = None) -> tuple[Decision, list[Row]]:
    made = decided(*models, had=had)
    return made, rows(made)


def test_those_with_slots_come_first_by_its_number_then_the_best() -> None:
    decision, made = of(
        model("z", 0.9, 0.6),
        model("y", 0.6, 0.9),
        model("x", 0.7, 0.7),
        model("w", 0.3, 0.3),
        model("v", 0.5, 0.5),
    )
    assert [(it.number, it.name, it.slots) for it in made] == [
        (1, "z", (1,)),
        (2, "y", (2,)),
        (3, "x", (3,)),
        (4, "v", ()),
        (5, "w", ()),
    ]
    assert made[0].has == "slot 1"
    assert of(model("a", 0.9, 0.9), model("b"))[1][0].has == "slots 1 and 2"
    for it in made:
        for aspect, by in decision.by.items():
            assert it.of[aspect].composite == pytest.approx(composite(it.model, aspect, by))


def test_what_was_not_asked_to_the_end_has_no_composite_and_is_not_compared() -> None:
    _, made = of(model("a"), model("b"), model("c"), model("part", items=0.3))
    part = next(it for it in made if it.name == "part")
    assert part.of["coding"].terms is None
    assert part.of["coding"].not_compared == "answered 103 of 344 coding items"
    assert part.of["coding"].quality is not None
    assert not any(it.row is part for it in tradeoff.plot(made, "coding").points)


def test_a_share_is_told_with_its_interval() -> None:
    assert Share(131, 164).text == "80% (73\N{EN DASH}85)"
    assert Share(5, 5).text == "100% (57\N{EN DASH}100)"
    assert [Share(1, asked).few for asked in (19, 20)] == [True, False]


SOME = st.tuples(st.floats(0.55, 1), st.floats(0.55, 1), st.floats(1, 300), st.integers(0, 80 * GB))


@given(st.lists(SOME, min_size=2, max_size=12))
@settings(max_examples=30, deadline=None)
def test_a_plot_has_everything_within_its_frame_and_no_label_on_another_one(
    drawn: list[tuple[float, float, float, int]],
) -> None:
    models = [
        model(f"some-model-{n}:{n}b", coding, general, speed=speed, size=size, items=0.1)
        for n, (coding, general, speed, size) in enumerate(drawn)
    ]
    made = rows(decided(*models)) if len(drawn) > 2 else rows(decided(*models, model("third", items=0.1)))
    for aspect in ("coding", "general"):
        plot = tradeoff.plot(made, aspect)
        assert {it.row.number for it in plot.points} >= {it.number for it in made if it.slots}
        frame = tradeoff.FRAME
        for it in plot.points:
            assert it.label
            assert frame.left <= it.left <= it.x <= it.right <= frame.right
            assert frame.top <= it.top <= it.y <= it.bottom <= frame.bottom
            assert frame.left <= it.x - it.radius
            assert it.x + it.radius <= frame.right
            assert it.label.box.within(frame)
        ticks = [it.text for it in plot.up]
        assert 2 <= len(ticks) == len(set(ticks)) <= 12
        assert 2 <= len(plot.across) <= 12
        names = [it.label.box for it in plot.points if it.label and len(it.label.text) > 2]
        assert all(one.common(other) <= LITTLE / 3 for one, other in combinations(names, 2))


def test_a_label_that_has_no_room_becomes_shorter_and_then_a_number() -> None:
    alike = [model(f"quite-a-long-name-{n}:14b-instruct", 0.8, 0.8, alike="one", speed=40) for n in range(9)]
    plot = tradeoff.plot(of(*alike)[1], "coding")
    texts = [it.label.text for it in plot.points if it.label]
    assert texts[0] == "slots 1 and 2"
    assert {it for it in texts if it.isdigit()}
    assert all(it.isdigit() or "quite" in it or it.startswith("slot") for it in texts)


def test_on_the_frontier_is_what_nobody_beats() -> None:
    """The fastest last; of equals both; what is not compared, never."""
    models = [
        model("best", 0.9, speed=20),
        model("mean", 0.8, speed=40),
        model("same", 0.8, alike="mean", speed=40),
        model("fast", 0.7, speed=80),
        model("beaten", 0.7, speed=40),
        model("junk", 0.2, 0.2, speed=500),
    ]
    plot = tradeoff.plot(of(*models)[1], "coding")
    names = [it.name for it in plot.frontier]
    assert (names[0], {*names[1:3]}, names[3:]) == ("best", {"mean", "same"}, ["fast"])
    assert plot.line == sorted(plot.line)
    assert "junk" not in {it.row.name for it in plot.points}


def test_who_has_a_slot_is_in_both_plots() -> None:
    """A coder that cannot talk is not compared in general, and drawn there all the same; it is not on the line."""
    _, made = of(model("coder", 0.9, 0.2, speed=99), model("talker", 0.2, 0.9), model("third", 0.7, 0.7))
    plot = tradeoff.plot(made, "general")
    assert {it.row.name for it in plot.points} == {"coder", "talker", "third"}
    assert "coder" not in {it.name for it in plot.frontier}


def test_memory_counts_a_runner_once_at_its_largest_window() -> None:
    both = model("both", 0.9, 0.9).model_copy(update={"gpu_bytes": {1: 10 * GB, 2: 14 * GB, 3: 99 * GB}})
    other = model("other").model_copy(update={"gpu_bytes": {1: 99 * GB, 3: 5 * GB}})
    made = stack(of(both, other)[1], Memory(40 * GB, {"slot 4": GB}))
    assert [(it.name, it.size) for it in made.parts] == [
        ("slots 1 and 2: both", 14 * GB),
        ("slot 3: other", 5 * GB),
        ("slot 4", GB),
    ]
    assert (made.taken, made.total, made.unknown) == (20 * GB, 40 * GB, [])
    assert sum(it.share for it in made.parts) == pytest.approx(0.5)
    unknown = stack(of(both, model("other").model_copy(update={"gpu_bytes": {}}))[1], None)
    assert (unknown.unknown, unknown.total, unknown.parts[0].share) == (["other"], None, 1)


def test_a_model_is_found_in_the_earlier_file_by_its_weights_or_by_its_name() -> None:
    first = decided(model("a"), model("b:1b", 0.7), model("c", 0.6))
    before = file.text(first)
    _, made = of(model("renamed", weights="a"), model("B:1b", 0.75, weights="pulled anew"), model("new", 0.6))
    found = since.since(made, before)
    assert found
    assert {it.row.name for it in found.moved["coding"]} == {"renamed", "B:1b"}
    assert next(it for it in found.moved["coding"] if it.row.name == "B:1b").up
    assert found.new == ["new"]
    assert found.gone == ["c"]
    assert found.when == WHEN
    assert all(0 <= it.left <= it.right <= 1 for them in found.moved.values() for it in them)


def test_an_earlier_file_of_another_program_is_compared_by_name_and_one_that_is_none_is_told() -> None:
    _, made = of(model("a"), model("b"), model("c"))
    other = {"results": {"a:latest": {"coding_composite": 0.5, "general_composite": 0.25, "avg_tok_per_sec": 3}}}
    found = since.since(made, json.dumps(other))
    assert found
    assert [(it.row.name, it.was) for it in found.moved["general"]] == [("a", 0.25)]
    assert found.when == "an unknown time"
    assert since.since(made, "") is since.since(made, '{"slot1_coding": "a"}') is None
    with pytest.raises(ValueError, match="expected JSON"):
        since.since(made, "{")


def test_evidence_is_a_bar_up_to_the_threshold() -> None:
    decision, beside = everything()
    slots = {it.slot: it for it in since.evidence(decision, rows(decision), beside.before)}
    assert slots.keys() == {1, 2, 3}
    assert slots[1].incumbent == "coder:14b"
    assert slots[1].threshold == "120"
    first = slots[1].bars[0]
    assert first.name == "better:30b"
    assert 0 < first.share < 1
    assert (slots[3].bars[0].share, slots[3].bars[0].figure) == (1, "more than a million")
    tie = next(it for it in slots[2].bars if it.name == "twin:8b")
    assert (tie.share, tie.figure) == (0, "1")
    assert len(slots[1].bars) + slots[1].left_out == len(decision.models) - 1


def test_evidence_of_a_model_that_is_not_in_this_run_is_by_its_name_of_then() -> None:
    first = decide(run(model("a"), model("b"), model("gone")), {1: "a"}, State(), fit_all, WHEN)
    second = decide(run(model("a"), model("b"), model("c")), {1: "a"}, first.kept, fit_all, WHEN)
    named = since.evidence(second, rows(second), file.text(first))[0]
    assert {it.name for it in named.bars} == {"b", "c", "gone"}
    nameless = since.evidence(second, rows(second), "")[0]
    assert {it.name for it in nameless.bars} == {"b", "c", f"weights {first.models[2].weights[7:19]}"}


def test_items_shown_tell_the_chosen_models_and_their_ties_apart_and_each_family_has_its_turn() -> None:
    decision = weekly()
    made = rows(decision)
    shown = differ.compared(decision, made)
    assert {it.name for it in made if it.slots} <= {it.name for it in shown}
    assert len(shown) <= differ.MODELS
    found = differ.differences(decision, made, questions(decision))
    assert len(found) == differ.ITEMS
    assert len({it.id.partition("/")[0] for it in found}) == 9
    for it in found:
        assert {one.passed for one in it.said} == {True, False}
        for one in it.said:
            assert one.passed is one.row.model.answers[it.id.partition("/")[0]][it.id]
            assert one.text == f"an answer of {one.row.name}"


def test_of_models_that_answer_alike_nothing_is_shown() -> None:
    models = [model(it, 0.8, 0.8, alike="one") for it in ("a", "b", "c")]
    decision, made = of(*models)
    assert differ.differences(decision, made, questions(decision)) == []
    other, made = of(model("a"), model("b", 0.3), model("c"))
    alone = [it._replace(answers={made[0].model.weights: "x"}) for it in questions(other)]
    assert differ.differences(other, made, alone) == []


def test_the_answer_says_what_changes_and_what_was_passed_over() -> None:
    decision, _ = everything()
    made = answer.answers(decision, rows(decision))
    assert [(it.number, it.name, it.change, it.was) for it in made] == [
        (1, "coder:14b", "stays", ""),
        (2, "talker:8b", "stays", ""),
        (3, "twin:8b", "changes", "third:16b"),
    ]
    assert [name for name, _ in made[0].tied] == ["better:30b", "talker:8b", "twin:8b"]
    assert {it.change for it in answer.answers(*of(model("a"), model("b")))} == {"first choice"}
    aside = {(it.name, it.slots): it.why for it in answer.aside(decision, rows(decision))}
    assert aside[("dropped:7b", "1, 2, 3")].startswith("answered 52 of 344 coding items")
    assert aside[("junk:135m", "2")] == "passed 10% of the general items, and the floor is 40%"


def test_what_does_not_fit_is_set_aside_for_that_slot() -> None:
    models = [
        model("coder:14b"),
        model("talker:8b", 0.7),
        model("third:16b", 0.6, 0.6),
        model("big:70b", 0.99, 0.5),
    ]
    decision = decide(run(*models), HAD, State(), lambda three: all(it.model != "big:70b" for it in three), WHEN)
    aside = [it for it in answer.aside(decision, rows(decision)) if it.name == "big:70b"]
    assert [(it.slots, it.why) for it in aside] == [
        ("1, 3", "does not fit into GPU memory with what the other slots need")
    ]

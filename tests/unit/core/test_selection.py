import json
from typing import Any

import pytest

from ollama_slots.selection import choose, parse


def chosen(**content: Any) -> list[str]:
    """The models of slots 1, 2 and 3 that a file with this content gives."""
    choices = choose(parse(json.dumps(content)))
    return [choices[slot].model for slot in (1, 2, 3)]


def measured(coding: float | None, general: float | None, **rest: Any) -> dict[str, Any]:
    composites = {"coding_composite": coding, "general_composite": general}
    return {key: value for key, value in composites.items() if value is not None} | rest


THREE = {"coder": measured(0.9, 0.2), "talker": measured(0.3, 0.8), "middle": measured(0.5, 0.5)}


def test_explicit_slots_win_over_better_results() -> None:
    explicit = {"slot1_coding": "a:1b", "slot2_general": "b:1b", "slot3_backup": "c:1b"}
    assert chosen(**explicit, results=THREE) == ["a:1b", "b:1b", "c:1b"]


def test_explicit_slots_need_no_results() -> None:
    """The file of the description, as it stands."""
    assert chosen(
        timestamp="2025-01-15T10:30:00Z",
        slot1_coding="qwen2.5-coder:14b",
        slot2_general="llama3.1:8b",
        slot3_backup="deepseek-coder-v2:16b",
        slot4_experimental=None,
    ) == ["qwen2.5-coder:14b", "llama3.1:8b", "deepseek-coder-v2:16b"]


def test_what_is_not_explicit_is_computed() -> None:
    assert chosen(results=THREE) == ["coder", "talker", "middle"]


@pytest.mark.parametrize("missing", [{}, {"slot1_coding": None}])
def test_one_missing_slot_is_computed_and_the_others_stay(missing: dict[str, None]) -> None:
    assert chosen(slot2_general="b", slot3_backup="c", results=THREE, **missing) == ["coder", "b", "c"]


@pytest.mark.parametrize("word", ["none", "None", "NONE"])
@pytest.mark.parametrize("slot", ["slot1_coding", "slot2_general", "slot3_backup"])
def test_none_is_no_choice_and_what_is_computed_takes_its_place(slot: str, word: str) -> None:
    assert chosen(**{slot: word}, results=THREE) == chosen(results=THREE)


def test_none_among_the_results_is_no_model() -> None:
    assert chosen(results=THREE | {"None": measured(1.0, 1.0)}) == ["coder", "talker", "middle"]


def test_one_model_may_win_both_columns() -> None:
    results = {"best": measured(0.9, 0.9), "good": measured(0.8, 0.8), "poor": measured(0.1, 0.1)}
    assert chosen(results=results) == ["best", "best", "good"]


def test_slot_3_is_the_best_mean_of_those_that_hold_neither() -> None:
    results = THREE | {"lopsided": measured(0.85, 0.1), "even": measured(0.6, 0.6)}
    assert chosen(results=results) == ["coder", "talker", "even"]


def test_slot_3_leaves_out_what_is_explicit_in_the_others() -> None:
    assert chosen(slot1_coding="middle", results=THREE) == ["middle", "talker", "coder"]


@pytest.mark.parametrize("explicit", ["coder:latest", "CODER", "library/Coder:LATEST"])
def test_slot_3_is_not_what_another_slot_holds_under_another_spelling(explicit: str) -> None:
    assert chosen(slot1_coding=explicit, slot2_general="talker", results=THREE)[2] == "middle"


@pytest.mark.parametrize("twin", ["coder:latest", "Coder"])
def test_the_same_name_twice_in_the_results_does_not_get_two_slots(twin: str) -> None:
    results = THREE | {twin: measured(0.89, 0.79)}
    assert chosen(results=results)[2] == "middle"


def test_a_tie_goes_to_more_tokens_per_second() -> None:
    results = {"a": measured(0.5, 0.5, tokens_per_sec=10), "b": measured(0.5, 0.5, tokens_per_sec=20)}
    assert chosen(slot3_backup="c", results=results) == ["b", "b", "c"]


def test_a_tie_in_speed_too_goes_by_name_and_not_by_order_in_the_file() -> None:
    for order in (["b", "A", "c"], ["c", "A", "b"]):
        assert chosen(results={name: measured(0.5, 0.5) for name in order}) == ["A", "A", "b"]


@pytest.mark.parametrize("key", ["tokens_per_sec", "avg_tok_per_sec"])
def test_speed_goes_by_either_of_its_names(key: str) -> None:
    results = {"a": measured(0.5, 0.5), "b": measured(0.5, 0.5, **{key: 1.5})}
    assert chosen(slot3_backup="c", results=results)[0] == "b"


def test_a_speed_of_null_is_no_speed() -> None:
    results = {"a": measured(0.5, 0.5, tokens_per_sec=None), "b": measured(0.5, 0.5, tokens_per_sec=1)}
    assert chosen(slot3_backup="c", results=results)[0] == "b"


@pytest.mark.parametrize("key", ["results", "all_metrics"])
def test_metrics_go_by_either_of_their_names(key: str) -> None:
    assert chosen(**{key: THREE}) == ["coder", "talker", "middle"]


@pytest.mark.parametrize("partial", [measured(1.0, None), measured(None, 1.0), {}, {"quality": 1}])
def test_a_model_without_both_composites_cannot_be_chosen(partial: dict[str, Any]) -> None:
    assert chosen(results=THREE | {"partial": partial}) == ["coder", "talker", "middle"]


def test_composites_may_be_whole_numbers() -> None:
    assert chosen(results={"a": measured(1, 0), "b": measured(0, 1), "c": measured(0, 0)}) == ["a", "b", "c"]


def test_other_keys_are_ignored() -> None:
    extra = {"timestamp": 7, "host": ["x"], "results": THREE | {"odd": measured(0, 0, ttft_ms="?")}}
    assert chosen(**extra) == ["coder", "talker", "middle"]


@pytest.mark.parametrize(
    ("content", "slot"),
    [
        ({}, "slot1_coding"),
        ({"results": {}}, "slot1_coding"),
        ({"slot1_coding": "none", "slot2_general": "b", "slot3_backup": "c"}, "slot1_coding"),
        ({"slot1_coding": "a", "slot2_general": "b", "slot3_backup": "None"}, "slot3_backup"),
        ({"results": {"none": measured(0.5, 0.5)}}, "slot1_coding"),
        ({"slot1_coding": "a"}, "slot2_general"),
        ({"slot1_coding": "a", "slot2_general": "b"}, "slot3_backup"),
        ({"results": {"a": measured(0.5, 0.5)}}, "slot3_backup"),
        ({"results": {"a": measured(0.5, 0.5), "a:latest": measured(0.4, 0.4)}}, "slot3_backup"),
        ({"results": {"a": measured(0.5, None)}}, "slot1_coding"),
    ],
)
def test_nothing_to_choose_a_slot_from_names_the_slot(content: dict[str, Any], slot: str) -> None:
    with pytest.raises(ValueError, match=f"^{slot}: expected a model name, or results") as refusal:
        chosen(**content)
    assert "\n" not in str(refusal.value)


def test_every_choice_says_why() -> None:
    whys = [choice.why for choice in choose(parse(json.dumps({"slot2_general": "b", "results": THREE}))).values()]
    assert whys == ["best coding composite 0.900", "explicit", "best mean of the rest 0.550"]


WHY = "better than b beyond doubt (evidence 212 of 40)"


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        ({"model": "a", "why": WHY}, WHY),
        ({"model": "b", "why": WHY}, "explicit"),
        ({"why": WHY}, "explicit"),
        ({"model": "a", "why": "\x1b[2J"}, "explicit"),
        ({"model": "a", "why": ""}, "explicit"),
        ({"model": "a", "why": 7}, "explicit"),
        (7, "explicit"),
    ],
    ids=str,
)
def test_why_a_benchmark_chose_it_is_told_of_the_model_that_it_chose(choice: object, why: str) -> None:
    slots = {"slot1_coding": "a", "slot2_general": "b", "slot3_backup": "c"}
    content = slots | {"benchmark": {"choice": {"slot1": choice}}}
    chosen = choose(parse(json.dumps(content)))
    assert [it.why for it in chosen.values()] == [why, "explicit", "explicit"]


@pytest.mark.parametrize("benchmark", [None, 7, [], {"choice": None}, {"choice": {"slot1": None}}], ids=str)
def test_a_benchmark_of_another_program_is_left_alone(benchmark: object) -> None:
    slots = {"slot1_coding": "a", "slot2_general": "b", "slot3_backup": "c"}
    assert choose(parse(json.dumps(slots | {"benchmark": benchmark})))[1].why == "explicit"

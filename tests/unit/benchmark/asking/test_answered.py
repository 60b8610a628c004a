"""Whatever Ollama answers is read, kept as one line, and read from there as the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.benchmark.asking.answered import Answered, answered
from ollama_slots.host.questions import Reply
from tests.unit.benchmark.asking.asked import choice, item
from tests.unit.hostile import JSON, TEXT

DONE = {"done": True, "done_reason": "stop", "eval_count": 3, "total_duration": 5, "prompt_eval_count": 9}


def reply(content: Any, status: int = 200, failed: int = 0) -> Reply:
    text = content if isinstance(content, str) else json.dumps(content)
    return Reply(text, 0.25, 0.5, status, failed)


def read(content: Any, status: int = 200, failed: int = 0) -> Answered:
    return answered(item(1), "v", reply(content, status, failed))


def test_a_text_and_a_message_are_read_with_tokens_and_durations() -> None:
    for content in ({"response": "Hi"}, {"message": {"role": "assistant", "content": "Hi"}}):
        found = read(content | DONE)
        assert (found.text, found.cut, found.error, found.answer.cut) == ("Hi", "", "", False)
        assert found.figures == {"eval_count": 3, "total_duration": 5, "prompt_eval_count": 9}
        assert found.seconds == (0.25, 0.5)


def test_what_was_only_thought_is_no_answer() -> None:
    found = read({"message": {"content": "4", "thinking": "2 + 2"}} | DONE)
    assert (found.text, found.thought, found.answer.text) == ("4", "2 + 2", "4")


@pytest.mark.parametrize(
    ("said", "cut"),
    [
        ({"done": True, "done_reason": "length"}, "length"),
        ({"done": True, "done_reason": "stop"}, ""),
        ({"done": False}, "engine"),
        ({}, "engine"),
    ],
    ids=str,
)
def test_it_is_told_by_what_an_answer_was_cut(said: dict[str, Any], cut: str) -> None:
    found = read({"response": "word word"} | said)
    assert (found.cut, found.text, found.error) == (cut, "word word", "")
    assert found.answer.cut is bool(cut)


def test_what_repeats_itself_is_a_wrong_answer_in_each_version() -> None:
    """Else it would count as not answered, and a model that repeats itself would look better for that."""
    found = read({"error": "prediction aborted, token repeat limit reached"}, 500)
    assert (found.cut, found.text, found.error, found.answer.cut) == ("engine", "", "", True)
    other = read({"error": "llama runner has stopped"}, 500)
    assert other.error == "expected an answer, found HTTP 500: llama runner has stopped"


def test_the_first_token_is_read_and_no_other() -> None:
    first = {
        "token": "A",
        "logprob": -0.5,
        "top_logprobs": [
            {"token": "A", "logprob": -0.5},
            {"token": " A", "logprob": -2},
            {"token": "B", "logprob": -3.25},
            {"token": "B", "logprob": -9.0},
            {"token": "C"},
            {"logprob": -1.0},
            7,
        ],
    }
    found = answered(choice(1), "v", reply({"response": "A", "logprobs": [first, {"token": "x"}]} | DONE))
    assert found.answer.first == {"A": -0.5, " A": -2.0, "B": -3.25}


@pytest.mark.parametrize("first", [None, [], {}, [7], "A", [{"token": 1}], [{"token": "A", "logprob": "x"}]])
def test_log_probabilities_that_are_none_are_none(first: Any) -> None:
    assert read({"response": "A", "logprobs": first} | DONE).first == {}


@pytest.mark.parametrize(
    ("content", "status", "failed", "why"),
    [
        ("", 0, 28, "found none in time"),
        ('{"response": "half of', 200, 28, "found none in time"),
        (json.dumps({"response": "Hi"} | DONE), 200, 18, "found none (curl ended with 18)"),
        ({"error": "no\n\x1b[2Jroom"}, 500, 0, "found HTTP 500: no [2Jroom"),
        ({"error": "late"}, 200, 0, "found HTTP 200: late"),
        ({"response": "Hi"} | DONE, 404, 0, "found HTTP 404"),
        ("<html>proxy</html>", 200, 0, "found HTTP 200: <html>proxy</html>"),
        ("[1]", 200, 0, "found HTTP 200: [1]"),
        ("[" * 10**5, 200, 0, "found HTTP 200: [[["),
    ],
)
def test_what_is_no_answer_is_told_on_one_line(content: Any, status: int, failed: int, why: str) -> None:
    found = read(content, status, failed)
    assert why in found.error
    assert found.error.isprintable()
    assert len(found.error) < 400
    assert (found.text, found.first, found.answer.text) == ("", {}, "")


CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "response": TEXT | JSON,
        "message": JSON | st.fixed_dictionaries({"content": TEXT}),
        "done": JSON | st.booleans(),
        "done_reason": JSON | st.sampled_from(["stop", "length"]),
        "eval_count": JSON | st.integers(),
        "logprobs": JSON
        | st.lists(
            st.fixed_dictionaries({"token": TEXT, "logprob": st.floats(), "top_logprobs": JSON}), max_size=2
        ),
    },
)


@given(CONTENT | JSON, st.sampled_from([0, 200, 404]), st.sampled_from([0, 28]), st.floats(0, 1e6))
def test_any_answer_is_one_line_and_the_same_when_read_again(
    content: Any, status: int, failed: int, seconds: float
) -> None:
    found = answered(item(1), "v", Reply(json.dumps(content), seconds, seconds, status, failed))
    assert found.line.isascii()
    assert found.line.count("\n") == 1
    again = Answered.model_validate_json(found.line)
    assert again == found
    assert again.line == found.line


@given(TEXT, st.sampled_from(["response", "message"]))
def test_a_text_comes_through_as_it_is(text: str, where: str) -> None:
    said = {"response": text} if where == "response" else {"message": {"content": text}}
    found = Answered.model_validate_json(read(said | DONE).line)
    assert found.answer.text == text.encode("utf-8", "replace").decode()


def test_the_order_of_log_probabilities_is_nothing_of_an_answer() -> None:
    likely: list[dict[str, Any]] = [{"token": it, "logprob": -1.0} for it in "CAB"]
    said = [{"logprobs": [{**likely[0], "top_logprobs": it}]} for it in (likely, likely[::-1])]
    one, other = (read({"response": "A"} | DONE | it) for it in said)
    assert one.line == other.line

"""A request asks an item and changes nothing of a slot; whatever could is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.benchmark.asking.request import MAY, OPTIONS, Request, Way, digest, refusal, request, show, way
from tests.unit.benchmark.asking.asked import choice, item
from tests.unit.hostile import JSON, TEXT

WAYS = st.sampled_from([Way.CHAT, Way.COMPLETION])


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"template": "{{ .Prompt }}"}, Way.COMPLETION),
        ({"template": "{{.Prompt}}\n"}, Way.COMPLETION),
        ({}, Way.COMPLETION),
        ({"template": "{{ .Prompt }}", "renderer": "qwen3-coder"}, Way.CHAT),
        ({"template": "<|user|>{{ .Prompt }}"}, Way.CHAT),
        ({"template": "{{ .Prompt }}{{ .Response }}"}, Way.CHAT),
        ({"template": 7}, Way.CHAT),
    ],
)
def test_what_has_no_template_of_a_chat_goes_on_with_a_text(shown: dict[str, Any], expected: Way) -> None:
    assert way(shown) is expected


def test_a_chat_is_asked_as_users_ask() -> None:
    made = request(item(1, "Why?", 7), "one", Way.CHAT, 42)
    assert made.body == {
        "model": "one:latest",
        "stream": False,
        "options": {"temperature": 0, "seed": 42, "num_predict": 7},
        "messages": [{"role": "user", "content": "Why?"}],
    }


def test_what_goes_on_with_a_text_is_given_nothing_but_that() -> None:
    body = request(item(1, "Why?"), "one", Way.COMPLETION, 1).body
    assert (body["prompt"], body["raw"]) == ("Why?\n\n", True)
    assert "messages" not in body
    assert "logprobs" not in body


def test_a_choice_wants_the_first_token_and_no_thought() -> None:
    body = request(choice(1), "one", Way.CHAT, 1).body
    assert (body["logprobs"], body["top_logprobs"], body["think"]) == (True, 20, False)
    assert body["options"]["num_predict"] == 1
    assert "think" not in request(choice(1), "one", Way.COMPLETION, 1).body


@given(TEXT, WAYS, st.integers(0, 2**31), st.integers(1, 10**6))
def test_a_request_is_one_line_of_ascii_that_says_the_same(prompt: str, how: Way, seed: int, tokens: int) -> None:
    made = request(item(1, prompt or "x", tokens), "one", how, seed)
    assert made.line.isascii()
    assert made.line.count("\n") == 1
    assert made.line.endswith("\n")
    word, _, body = made.line.partition(" ")
    assert (word, json.loads(body)) == (how, made.body)
    assert refusal(made, "one") is None


def test_what_a_model_is_made_of_may_be_asked() -> None:
    assert refusal(show("one"), "one") is None


@pytest.mark.parametrize(
    "key", ["keep_alive", "Keep_Alive", "shift", "format", "system", "template", "tools", "n"]
)
@pytest.mark.parametrize("how", list(Way))
def test_what_could_change_a_slot_is_refused(key: str, how: Way) -> None:
    good = show("one") if how is Way.SHOW else request(item(1), "one", how, 1)
    said = refusal(Request(how, {**good.body, key: -1}), "one")
    assert said is not None
    assert f"expected no {key} in a request to a slot" in said


@pytest.mark.parametrize(
    "key", ["num_ctx", "num_gpu", "num_thread", "num_batch", "main_gpu", "use_mmap", "NUM_CTX"]
)
@pytest.mark.parametrize("how", [Way.CHAT, Way.COMPLETION])
def test_an_option_of_the_runner_is_refused(key: str, how: Way) -> None:
    body = request(item(1), "one", how, 1).body
    said = refusal(Request(how, {**body, "options": {**body["options"], key: 1}}), "one")
    assert said is not None
    assert f"expected no option {key} in a request to a slot" in said


@pytest.mark.parametrize(
    "other",
    [
        {"model": "one:current"},
        {"model": "a:1b"},
        {"messages": []},
        {"messages": None},
        {"stream": True},
        {"options": {"num_predict": -1}},
        {"options": {"num_predict": "7"}},
        {"options": {}},
    ],
    ids=str,
)
def test_what_asks_another_model_or_without_a_bound_or_nothing_is_refused(other: dict[str, Any]) -> None:
    body = request(item(1), "one", Way.CHAT, 1).body
    said = refusal(Request(Way.CHAT, {**body, **other}), "one")
    assert said is not None
    assert "\n" not in said


@given(st.dictionaries(TEXT, JSON, max_size=3), st.dictionaries(TEXT, JSON, max_size=3), WAYS)
def test_only_what_is_known_to_be_harmless_passes(more: dict[str, Any], options: dict[str, Any], how: Way) -> None:
    body = request(item(1), "one", how, 1).body
    sent = Request(how, {**more, **body, "options": {**options, **body["options"]}})
    harmless = {*more} <= MAY[how] and {*options} <= OPTIONS
    assert (refusal(sent, "one") is None) is harmless


def test_another_question_has_another_digest() -> None:
    digests = {digest(it) for it in (item(1, "a"), item(1, "b"), item(1, "a", 8))}
    assert len(digests) == 3
    assert digest(item(2, "a")) == digest(item(1, "a"))

"""What is asked of general models: the right answer scores, and nothing else does."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollama_slots.benchmark.items import arithmetic, choice, coding, instructions, retrieval
from ollama_slots.benchmark.items.checks import Exactly, Json, Letter, Listed, Name, Number, Sentence
from ollama_slots.benchmark.items.item import Answer, ByTests, Check, Item, NotAnsweredError, Outcome
from ollama_slots.benchmark.judge import judged

SEEDS = st.integers(0, 10**9)


def unasked(source: str, check: ByTests) -> str:
    raise AssertionError(f"{source} of {check} is no program")


def outcome(item: Item, text: str) -> Outcome:
    return judged(item, Answer(text), unasked).outcome


def general(seed: int) -> list[Item]:
    return [
        *instructions.instructions(seed, 26),
        *arithmetic.arithmetic(seed, 12),
        *arithmetic.problems(seed, 16),
        *retrieval.retrieval(seed, 12, 2048),
        *choice.choice(seed, 30),
        *coding.predict(seed, 6),
    ]


def tricks(item: Item) -> Iterator[str]:
    """What scores where an answer is judged by its looks."""
    yield "def return import assert -> ``` class for in if else"
    yield ".\n" * 50
    yield "." * 500
    yield "- a point that is made\n" * 40
    yield "\n".join(f"{n}. point" for n in range(1, 60))
    yield item.prompt
    yield f"{item.prompt}\n\n{item.prompt}"
    yield f"The answer to your question is as follows.\n\n{item.prompt}\n"
    yield "I am happy to help with that! Here is what you asked for."
    yield "```python\ndef f():\n    return 1\n```"
    yield "Answer:"
    yield "Answer: "
    yield "A"
    yield ""
    yield " \n\t"
    yield "Answer: value"
    yield "Answer: number"
    yield "\n".join(f"Answer: {n}" for n in range(100, 0, -1)) + "\nAnswer: it depends"


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_the_reference_passes_and_no_trick_does(seed: int) -> None:
    for item in general(seed):
        assert judged(item, item.reference, unasked) == (Outcome.PASSED, ""), item
        for trick in tricks(item):
            assert outcome(item, trick) in (Outcome.FAILED, Outcome.NOT_ANSWERED), (item, trick)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_no_other_items_answer_passes(seed: int) -> None:
    """One answer to all questions of a kind does not score by more than chance."""
    items = general(seed)
    for item in items:
        same = [it for it in items if it.check != item.check and it.family == item.family]
        if not isinstance(item.check, Listed):
            for other in same:
                assert judged(item, other.reference, unasked).outcome is not Outcome.PASSED, (item, other)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.text(max_size=200))
def test_any_text_gets_a_verdict(seed: int, text: str) -> None:
    for item in general(seed)[seed % 7 :: 7]:
        for answer in (Answer(text), Answer(f"Answer: {text}"), Answer(text, first={text: -0.5})):
            verdict = judged(item, answer, unasked)
            assert verdict.why.isprintable()
            assert (verdict.why == "") == (verdict.outcome is Outcome.PASSED)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_a_cut_answer_ran_out_unless_it_is_right(seed: int) -> None:
    for item in general(seed)[seed % 5 :: 5]:
        cut = judged(item, Answer(item.prompt[:30], cut=True), unasked)
        if item.family == "choice":  # its one token is always cut
            assert cut.outcome is Outcome.NOT_ANSWERED
            continue
        assert cut.outcome is Outcome.RAN_OUT
        assert cut.why.startswith("cut after 30 characters: expected")
        assert judged(item, item.reference._replace(cut=True), unasked).outcome is Outcome.PASSED


def test_an_empty_answer_is_none() -> None:
    [item] = arithmetic.arithmetic(1, 1)
    assert judged(item, Answer(" "), unasked) == (Outcome.NOT_ANSWERED, "expected an answer, found none")


RIGHT: list[tuple[Check, str]] = [
    (Exactly("a b"), "a b"),
    (Exactly("a b"), "  a b \n"),
    (Exactly("a b"), "**a b**"),
    (Exactly("a b"), "`a b`"),
    (Exactly("a\nb"), "a \nb"),
    (Number(1234, alone=True), "1,234"),
    (Number(1234, alone=True), "1234.0"),
    (Number(-5, alone=True), "\N{MINUS SIGN}5"),
    (Number(5), "So it is 4 + 1.\n\nAnswer: 5"),
    (Number(5), "**Answer:** 5"),
    (Number(5), "**Answer: 5**"),
    (Number(5), "`Answer: 5`"),
    (Number(5), "Answer: **5**."),
    (Number(5), "Answer: 5\n\n"),
    (Name("Ada", alone=True), "ada."),
    (Json('{"a": [1, true]}'), '```json\n{"a":[1,true]}\n```'),
    (Json('{"a": 1, "b": 2}'), '{"b": 2, "a": 1}'),
    (Sentence(4, "yesterday", "hat"), "Yesterday I saw nothing but Ben's hat."),
    (Listed(2, "b"), "1. Bread\n2. butter"),
]
WRONG: list[tuple[Check, str]] = [
    (Exactly("a b"), "a  b"),
    (Exactly("a b"), "A b"),
    (Exactly("a b"), "a b."),
    (Exactly("a b"), "It is a b"),
    (Number(1234, alone=True), "12,34"),
    (Number(1234, alone=True), "1234 or so"),
    (Number(5, alone=True), "6"),
    (Number(5), "Answer: 5\nThat was easy."),
    (Number(5), "5"),
    (Number(5), "The Answer: 5"),
    (Number(5), "Answer: 4 or 5"),
    (Number(5), "Answer: 5 apples"),
    (Number(5), "answer: 5"),
    (Number(5), "Answer: " + "5" * 5000),
    (Number(5), "Answer: 5e0"),
    (Name("Ada", alone=True), "Ada has it"),
    (Json("[1]"), "[true]"),
    (Json("[1]"), "[1] is it"),
    (Json("[1]"), "[" * 100_000),
    (Json("[1]"), "[1.0]"),
    (Sentence(4, "yesterday", "hat"), "Yesterday I saw a hat."),
    (Sentence(4, "yesterday", "hat"), "Yesterday I saw hat"),
    (Sentence(4, "yesterday", "hat"), "Today the old hat."),
    (Sentence(6, "yesterday", "hat"), "Yesterday hat hat hat hat hat."),
    (Listed(2, "b"), "1. bread\n2. bread"),
    (Listed(2, "b"), "1. bread\n2. salt"),
    (Listed(2, "b"), "1. bread\n2. butter\n3. beer"),
    (Listed(2, "b"), "1. bbb\n2. bb"),
    (Listed(2, "b"), "- bread\n- butter"),
    (Listed(2, "b"), "1. bread"),
]


@pytest.mark.parametrize(("check", "text"), RIGHT)
def test_a_right_answer_is_right_however_it_is_typeset(check: Check, text: str) -> None:
    if isinstance(check, Sentence):
        check = check._replace(words=len(text.split()))
    assert check.wrong(Answer(text)) == ""


@pytest.mark.parametrize(("check", "text"), WRONG)
def test_a_wrong_answer_is_wrong_however_near_it_is(check: Check, text: str) -> None:
    item = Item("a/1", "?", check, 1, Answer(""))
    verdict = judged(item, Answer(text), unasked)
    assert verdict.outcome in (Outcome.FAILED, Outcome.NOT_ANSWERED)
    assert verdict.why.startswith("expected")


@pytest.mark.parametrize(
    ("first", "passes"),
    [
        ({"B": -0.1}, True),
        ({" B": -0.1, "A": -3.0}, True),
        ({"A": -1.0, "B": -1.2, " B": -1.2}, True),  # together they are likelier
        ({"The": -0.1, "B": -4.0, "A": -5.0}, True),
        ({"A": -0.1, "B": -3.0}, False),
        ({"A": -1.0, "B": -1.0}, False),
        ({"Because": -0.1, "A": -3.0}, False),
        ({"b": -0.1, "A": -3.0}, False),
    ],
)
def test_the_likeliest_letter_is_the_choice(first: dict[str, float], passes: bool) -> None:
    assert (Letter("B").wrong(Answer("", first=first)) == "") is passes


def test_without_any_letter_nothing_is_chosen() -> None:
    for first in ({}, {"The": -0.1, "Because": -2.0}):
        with pytest.raises(NotAnsweredError):
            Letter("B").wrong(Answer("B", first=first))


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_every_letter_is_right_about_as_often(seed: int) -> None:
    letters = [item.check.value for item in choice.choice(seed, 120) if isinstance(item.check, Letter)]
    assert all(8 <= letters.count(it) <= 60 for it in "ABCD")


def test_more_questions_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^expected at most \d+ questions, found 1000: ask for fewer$"):
        choice.choice(1, 1000)


@pytest.mark.parametrize("window", [1024, 8192, 32768])
def test_what_is_looked_for_stands_where_it_should(window: int) -> None:
    seen = set()
    for n, item in enumerate(retrieval.retrieval(3, 12, window)):
        if n % 3 == 0:
            continue
        assert isinstance(item.check, Number)
        share = (0.25, 0.75)[n % 3 - 1]
        assert 0.8 * share * window < len(item.prompt) / retrieval.CHARACTERS <= share * window + 40
        depth = item.prompt.index(f" is {item.check.value}.") / len(item.prompt)
        assert item.prompt.count(str(item.check.value)) == 1
        wanted = (0.25, 0.75)[n // 3 % 2]
        assert abs(depth - wanted) < 0.15
        seen.add((share, wanted))
    assert len(seen) == 4


def test_a_window_that_is_too_small_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^expected a window of at least 1024 tokens, found 512$"):
        retrieval.retrieval(1, 1, 512)


def test_a_json_item_is_json() -> None:
    checks = [item.check for item in instructions.instructions(1, 100)]
    assert [json.loads(it.value) for it in checks if isinstance(it, Json)]
    assert {type(it) for it in checks} >= {Exactly, Json, Number, Sentence, Listed}

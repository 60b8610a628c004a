"""The file of answers: whole lines, each answer once, and the same bytes for the same answers."""

import json
from pathlib import Path

import pytest

from ollama_slots.benchmark.asking.answered import Answered, answered
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.item import Outcome
from ollama_slots.benchmark.judge import judged
from ollama_slots.host.questions import Reply
from tests.unit.benchmark.asking.asked import item

WEIGHTS = "0a" * 32


def made(number: int, text: str = "Hi\n== end\n\0\u2028\u0085'\"") -> Answered:
    return answered(item(number), "v", Reply(json.dumps({"response": text, "done": True}), 1, 2, 200, 0))


def written(directory: Path, *numbers: int) -> bytes:
    with Kept(directory, WEIGHTS, 7) as kept:
        kept.add(map(made, numbers))
    return kept.path.read_bytes()


def test_what_was_kept_is_found_by_item_question_and_variant(tmp_path: Path) -> None:
    written(tmp_path, 1, 2)
    with Kept(tmp_path, WEIGHTS, 7) as kept:
        assert kept.found(item(1), "v") == made(1)
        assert kept.found(item(2), "v") == made(2)
        assert kept.found(item(3), "v") is None
        assert kept.found(item(1), "other") is None
        assert kept.found(item(1, "Another question?"), "v") is None
    for weights, seed in ((WEIGHTS, 8), ("0b" * 32, 7)):
        with Kept(tmp_path, weights, seed) as kept:
            assert kept.found(item(1), "v") is None


def test_answers_are_graded_again_without_a_host(tmp_path: Path) -> None:
    with Kept(tmp_path, WEIGHTS, 7) as kept:
        kept.add([made(1, "1"), made(2, "wrong"), made(3, "3").model_copy(update={"variant": "other"})])
    with Kept(tmp_path, WEIGHTS, 7) as kept:
        assert kept.variants == ["v", "other"]
        answers = [kept.found(item(number), "v") for number in (1, 2, 3)]
        verdicts = [judged(item(n), it.answer, lambda *_: "").outcome for n, it in enumerate(answers, 1) if it]
    assert verdicts == [Outcome.PASSED, Outcome.FAILED]


def test_the_same_answers_are_the_same_bytes(tmp_path: Path) -> None:
    at_once = written(tmp_path / "a", 1, 2, 3)
    written(tmp_path / "b", 1)
    assert written(tmp_path / "b", 2, 3) == at_once
    assert at_once.count(b"\n") == 3


def test_a_line_that_was_cut_anywhere_is_dropped_and_the_file_goes_on(tmp_path: Path) -> None:
    whole = written(tmp_path, 1, 2)
    first = whole.index(b"\n") + 1
    path = next(tmp_path.iterdir())
    for cut in (0, 1, first - 1, first, first + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with Kept(tmp_path, WEIGHTS, 7) as kept:
            there = [number for number in (1, 2) if kept.found(item(number), "v")]
            assert there == ([1] if cut >= first else [])
            kept.add([made(number) for number in (1, 2) if number not in there])
        assert path.read_bytes() == whole, cut


def test_a_damaged_line_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    whole = written(tmp_path, 1, 2)
    path = next(tmp_path.iterdir())
    damaged = whole.replace(b'"item"', b'"itom"', 1)
    path.write_bytes(damaged)
    with pytest.raises(BenchmarkError, match=r"expected an answer in line 1, found something else"):
        Kept(tmp_path, WEIGHTS, 7).__enter__()
    assert path.read_bytes() == damaged


def test_one_run_has_it_open_at_a_time(tmp_path: Path) -> None:
    with Kept(tmp_path, WEIGHTS, 7), pytest.raises(BenchmarkError, match="another run has it open"):
        Kept(tmp_path, WEIGHTS, 7).__enter__()
    with Kept(tmp_path, WEIGHTS, 7):
        pass


@pytest.mark.parametrize("weights", ["", "../" + "0" * 61, "0" * 63, "G" * 64])
def test_no_name_from_elsewhere_is_a_path(tmp_path: Path, weights: str) -> None:
    with pytest.raises(ValueError, match="expected a sha256"):
        Kept(tmp_path, weights, 7)

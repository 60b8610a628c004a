import json
from typing import Any

import pytest

from ollama_slots.core.stored import WEIGHTS, Unfinished
from ollama_slots.host.stored import parse_stored
from tests.unit.complaint import complaint

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def manifest(**more: Any) -> str:
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": B, "size": 20},
        {"mediaType": WEIGHTS, "digest": A, "size": 1000, "from": "hub:5000/me/X:7b"},
    ]
    return json.dumps({"schemaVersion": 2, "config": {"digest": C, "size": 3}, "layers": layers} | more)


def output(*lines: str, unfinished: tuple[str, ...] = ()) -> list[str]:
    return ["== manifests", *lines, "== parts", "== unfinished", *unfinished, "== end"]


def test_what_a_model_is_made_of() -> None:
    stored = parse_stored(output(f"registry.ollama.ai/library/Coding/latest {manifest()}"))
    [(key, model)] = stored.models.items()
    assert (key, model.name) == ("registry.ollama.ai/library/coding:latest", "Coding:latest")
    assert model.blobs == {A: 1000, B: 20, C: 3}
    assert model.weights == A
    assert model.parents == {"hub:5000/me/x:7b"}


def test_a_model_that_was_pulled_is_made_of_none_and_one_of_tensors_has_no_one_blob() -> None:
    tensors = [{"mediaType": "application/vnd.ollama.image.tensor", "digest": A, "size": 5}]
    [model] = parse_stored(output(f"hub:5000/me/x/7b {manifest(layers=tensors)}")).models.values()
    assert (model.parents, model.weights) == (set(), None)


@pytest.mark.parametrize("line", ["", "a/b/c/d", "a/b/c/d {", "a/b/c/d []", "a/b/c {}", "a/b/c/d {}", "a/b/c/d 7"])
def test_a_damaged_manifest_is_passed_over(line: str) -> None:
    assert len(parse_stored(output(line, f"a/b/c/e {manifest()}")).models) == 1


@pytest.mark.parametrize("cut", [[], ["nonsense"], output(f"a/b/c/d {manifest()}")[:-1]])
def test_what_is_not_the_whole_of_it_is_a_value_error(cut: list[str]) -> None:
    assert "could not be read to their end" in complaint(parse_stored, cut)


@pytest.mark.parametrize(
    ("record", "ours"),
    [
        ("x:7b 1795487442.4361542150", True),
        ("x:7b 1795487442.4361542151", False),
        ("x:7b", False),
        ("X:7b 1795487442.4361542150", True),
    ],
)
def test_what_a_pull_left_is_ours_while_nobody_has_gone_on_with_it(record: str, ours: bool) -> None:
    [left] = parse_stored(output(unfinished=(f"{'a' * 64} 1795487442.4361542150 4096 {record}",))).unfinished
    assert left == Unfinished(model=record.split(maxsplit=1)[0], blob=A, size=4096, ours=ours)


@pytest.mark.parametrize(
    "line", ["", "abc", "abc 1.0 12", "abc 1.0 many x:7b 1.0", "abc 1.0 12 not/a/good/name 1.0"]
)
def test_a_damaged_record_is_none(line: str) -> None:
    assert parse_stored(output(unfinished=(line,))).unfinished == ()

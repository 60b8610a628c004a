import json
from typing import Any

import pytest

from ollama_slots.stored import WEIGHTS, parse_stored
from tests.unit.complaint import complaint

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def manifest(**more: Any) -> str:
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": B, "size": 20},
        {"mediaType": WEIGHTS, "digest": A, "size": 1000, "from": "hub:5000/me/X:7b"},
    ]
    return json.dumps({"schemaVersion": 2, "config": {"digest": C, "size": 3}, "layers": layers} | more)


def output(*lines: str) -> list[str]:
    return ["== manifests", *lines, "== end"]


def test_what_a_model_is_made_of() -> None:
    stored = parse_stored(output(f"registry.ollama.ai/library/Coding/latest {manifest()}"))
    [(key, model)] = stored.items()
    assert (key, model.name) == ("registry.ollama.ai/library/coding:latest", "Coding:latest")
    assert model.blobs == {A: 1000, B: 20, C: 3}
    assert model.weights == A
    assert model.parents == {"hub:5000/me/x:7b"}


def test_a_model_that_was_pulled_is_made_of_none_and_one_of_tensors_has_no_one_blob() -> None:
    tensors = [{"mediaType": "application/vnd.ollama.image.tensor", "digest": A, "size": 5}]
    [model] = parse_stored(output(f"hub:5000/me/x/7b {manifest(layers=tensors)}")).values()
    assert (model.parents, model.weights) == (set(), None)


@pytest.mark.parametrize("line", ["", "a/b/c/d", "a/b/c/d {", "a/b/c/d []", "a/b/c {}", "a/b/c/d {}", "a/b/c/d 7"])
def test_a_damaged_manifest_is_passed_over(line: str) -> None:
    assert len(parse_stored(output(line, f"a/b/c/e {manifest()}"))) == 1


@pytest.mark.parametrize("cut", [[], ["nonsense"], output(f"a/b/c/d {manifest()}")[:-1]])
def test_what_is_not_the_whole_of_it_is_a_value_error(cut: list[str]) -> None:
    assert "could not be read to their end" in complaint(parse_stored, cut)

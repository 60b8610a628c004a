"""What is asked of a host only when something is to be done."""

import json
from typing import Any

import pytest

from ollama_slots.core.details import Shown
from ollama_slots.core.gpus import Driven
from ollama_slots.core.names import parse
from ollama_slots.host.details import parse_details

A, B, C = "a" * 64, "b" * 64, "c" * 64
ROOM = ["== gpu", "== disk", "== blobs"]


def shown(weights: str = A, **more: Any) -> str:
    text = f"# Modelfile generated\n# FROM x:7b\n\nFROM /usr/share/ollama/blobs/sha256-{weights}\nSYSTEM x\n"
    info = {"general.architecture": "llama", "llama.context_length": 8192}
    return json.dumps({"modelfile": text, "model_info": info, "capabilities": ["completion"]} | more)


def test_what_a_model_runs_on() -> None:
    answer = Shown.of(json.loads(shown()))
    assert answer
    assert (answer.weights, answer.trained_context, answer.sees) == (A, 8192, False)


def test_a_vision_model_has_its_weights_before_its_projector() -> None:
    text = f"FROM /blobs/sha256-{B}\nFROM /blobs/sha256-{C}\n"
    answer = Shown.of(json.loads(shown(modelfile=text, capabilities=["completion", "vision"])))
    assert answer
    assert (answer.weights, answer.sees) == (B, True)


@pytest.mark.parametrize("modelfile", [None, "", "FROM x:7b\n", f"# FROM /blobs/sha256-{A}\n"])
def test_a_model_without_a_blob_has_no_weights(modelfile: str | None) -> None:
    assert Shown.of({"modelfile": modelfile}) is None


@pytest.mark.parametrize("more", [{"model_info": None}, {"model_info": {}}, {"capabilities": None}])
def test_what_an_answer_leaves_out_is_unknown(more: dict[str, Any]) -> None:
    answer = Shown.of(json.loads(shown(**more)))
    assert answer
    assert not answer.sees


def test_details_are_by_model_and_what_is_not_there_is_missing() -> None:
    output = [
        "== show",
        shown(A),
        "200",
        '{"error":"not found"}',
        "404",
        shown(B),
        "200",
        "== lists",
        "== missing",
        "== unreadable",
        *ROOM,
    ]
    details = parse_details(["x:7b", "gone:7b", "Y"], output)
    assert details.weights("x:7b") == A
    assert details.weights("gone:7b") is None
    assert details.weights("y:latest") == B
    assert details.driven == ()


def test_a_model_of_safetensors_has_no_weights_and_is_told_apart() -> None:
    answer = json.dumps({"modelfile": "FROM \n", "details": {"format": "safetensors"}})
    output = ["== show", answer, "200", "{}", "200", "== lists", "== missing", "== unreadable", *ROOM]
    details = parse_details(["x:7b", "y:7b"], output)
    assert details.weights("x:7b") is None
    assert details.tensors == {parse("x:7b").key}


def test_a_model_whose_blob_is_not_on_the_disk_is_missing() -> None:
    output = ["== show", shown(A), "200", shown(B), "200", "== lists", "== missing", B, "== unreadable", *ROOM]
    details = parse_details(["x:7b", "y:7b"], output)
    assert details.weights("x:7b") == A
    assert details.weights("y:7b") is None


ONE = Driven(pci="0000:01:00.0", total=24576 << 20, free=24000 << 20, compute="8.9")


@pytest.mark.parametrize(
    ("lines", "driven"),
    [
        (["00000000:01:00.0, 24576, 24000, 8.9"], [ONE]),
        (["00000000:01:00.0, 24576, 24000"], [ONE.model_copy(update={"compute": ""})]),  # of an old driver
        (
            ["00000000:01:00.0, 24576, 24000, 8.9", "00010000:C1:00.0, 16384, 1, 6.1"],
            [ONE, Driven(pci="10000:c1:00.0", total=16384 << 20, free=1 << 20, compute="6.1")],
        ),
        ([], []),
        (["No devices were found"], []),
        (["00000000:01:00.0, [N/A], [N/A], 9.0"], []),
        (["00000000:01:00.0, [Insufficient Permissions], 3, 9.0"], []),
    ],
)
def test_the_drivers_cards(lines: list[str], driven: list[Driven]) -> None:
    details = parse_details(
        [], ["== show", "== lists", "== missing", "== unreadable", "== gpu", *lines, *ROOM[1:]]
    )
    assert details.driven == tuple(driven)


@pytest.mark.parametrize("answers", [[], [shown()], ["", "000"], [shown(), "200", "", "000"]])
def test_a_missing_answer_is_a_value_error(answers: list[str]) -> None:
    """The engine went away; a model that is not there is another thing: 404."""
    with pytest.raises(ValueError, match=r"."):
        parse_details(["x:7b", "y:7b"], ["== show", *answers, "== lists", "== missing", "== unreadable", *ROOM])


def test_what_is_on_the_disk() -> None:
    blobs = [f"sha256-{A} 8", f"sha256-{B}-partial 4", f"sha256-{B}-partial-3 8", "odd name 8"]
    details = parse_details(
        [], ["== show", "== lists", "== missing", "== unreadable", "== gpu", "== disk", "7", "== blobs", *blobs]
    )
    assert details.disk_free == 7 * 1024
    assert details.blobs == {A: 4096, B: 2048}


def test_weights_that_are_not_whole_are_no_weights_and_no_bytes_on_the_disk() -> None:
    output = [
        "== show",
        shown(),
        "200",
        "== lists",
        "== missing",
        A,
        "== unreadable",
        "== gpu",
        "== disk",
        "7",
        "== blobs",
    ]
    details = parse_details(["x:7b"], [*output, f"sha256-{A} 8", f"sha256-{B} 8"])
    assert (details.weights("x:7b"), details.damaged, details.blobs) == (
        None,
        {parse("x:7b").key: (A,)},
        {B: 4096},
    )


def test_a_disk_that_is_not_told_of_is_unknown() -> None:
    details = parse_details([], ["== show", "== lists", "== missing", "== unreadable", *ROOM])
    assert (details.disk_free, details.blobs) == (None, None)


def test_weights_that_the_engine_cannot_read_are_damaged_and_to_be_pulled_again() -> None:
    output = [
        "== show",
        '{"error":"invalid file magic"}',
        "500",
        "== lists",
        "== missing",
        "== unreadable",
        f"x:7b {A}",
        *ROOM,
    ]
    details = parse_details(["x:7b"], output)
    assert details.weights("x:7b") is None
    assert details.damaged == {"registry.ollama.ai/library/x:7b": (A,)}


def test_the_figures_of_each_layer_are_in_a_verbose_answer_only() -> None:
    info: dict[str, Any] = {"general.architecture": "lfm2", "lfm2.attention.head_count_kv": []}
    said = {"head_count_kv": "[0,0,8]", "sliding_window_pattern": "[true,false]"}
    lists = [f'x:7b "lfm2.attention.{key}":{it}' for key, it in said.items()]
    output = ["== show", shown(model_info=info), "200", "== lists", *lists, "== missing", "== unreadable", *ROOM]
    [shown_] = parse_details(["x:7b"], output).shown.values()
    assert shown_.model_info["lfm2.attention.head_count_kv"] == [0, 0, 8]
    assert shown_.model_info["lfm2.attention.sliding_window_pattern"] == [True, False]

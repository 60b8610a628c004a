"""Selection files as programs write them: what each gives, and what is said of it."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from ollama_slots import selection
from tests.unit.complaint import complaint

FILES = Path(__file__).parent / "selections"
USUAL = ["qwen2.5-coder:14b", "llama3.1:8b", "phi3:mini"]
OTHERS = (
    "slot1_general and slot5_general_rotate and slot3_coding and slot4_coding and "
    "slot6_coding_rotate: not slots here, ignored"
)
LEFT_OUT = "not among the models to choose from: "
GIVEN: dict[str, tuple[list[str], list[str]]] = {
    "other_slots.json": (["deepseek-coder-v2:16b", "mistral:latest", "qwen2.5-coder:7b"], [OTHERS]),
    "own_slots.json": (["qwen2.5-coder:14b", "llama3.1:8b", "deepseek-coder-v2:16b"], []),
    "none_qualified.json": (USUAL, []),
    "failed_models.json": (
        USUAL,
        [
            f"{LEFT_OUT}'codellama:34b' (without coding_composite and general_composite), "
            "'gemma3:27b' (without coding_composite and general_composite)"
        ],
    ),
    "cloud.json": (USUAL, [f"{LEFT_OUT}'gpt-oss:120b-cloud' (of Ollama's cloud)"]),
    "other_names.json": (
        USUAL,
        [
            f"{LEFT_OUT}'_meta' (without coding_composite and general_composite), "
            "'Qwen 2.5 (14B, Q4)' (no model name), 'gpu-a' (without metrics), 2 more"
        ],
    ),
}
REFUSED = {
    "none_and_no_metrics.json": "slot3_backup: expected a model name, or results with coding_composite and "
    "general_composite to choose one from; found 0 such models: name a model there"
}


def test_there_is_no_other_file() -> None:
    assert {it.name for it in FILES.glob("*.json")} == GIVEN.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", GIVEN)
def test_what_a_file_gives_and_what_is_said_once(name: str, caplog: pytest.LogCaptureFixture) -> None:
    selection._slot_models.cache_clear()
    for _ in range(3):  # as each host of a run asks
        data = selection.slot_models(FILES / name)
    models, notices = GIVEN[name]
    assert data == {f"slot{slot}_model": model for slot, model in enumerate(models, start=1)}
    assert caplog.messages == [f"{FILES / name}: {it}" for it in notices]


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_file_is_refused_with(name: str) -> None:
    assert complaint(selection.slot_models, FILES / name) == f"{FILES / name}: {REFUSED[name]}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_in_any_of_the_encodings_of_editors(encoding: str, end: str, tmp_path: Path) -> None:
    text = (FILES / "own_slots.json").read_text().replace("\n", end)
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    file = tmp_path / "model_selection.json"
    file.write_bytes(mark + text.encode(encoding))
    assert selection.slot_models(file) == selection.slot_models(FILES / "own_slots.json")


@pytest.mark.parametrize("nothing", [None, "", " ", "none", "None", "NONE", " none\n"])
@pytest.mark.parametrize("key", ["slot1_coding", "slot2_general", "slot3_backup"])
def test_what_did_not_qualify_is_computed_or_refused_and_empties_nothing(
    key: str, nothing: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "model_selection.json"
    own = json.loads((FILES / "own_slots.json").read_text()) | {key: nothing}
    file.write_text(json.dumps(own | {"all_metrics": {}}))
    assert f"{key}: expected a model name" in complaint(selection.slot_models, file)
    metrics = json.loads((FILES / "none_qualified.json").read_text())["all_metrics"]
    file.write_text(json.dumps(own | {"all_metrics": metrics, "x": 1}))
    assert set(selection.slot_models(file).values()) <= {*USUAL, "deepseek-coder-v2:16b"}
    assert len(selection.slot_models(file)) == 3


@pytest.mark.parametrize("other", [[], ["a"], "a.csv", 7, None, {}])
@pytest.mark.parametrize("results", [None, {}])
def test_all_metrics_of_another_shape_are_none(other: Any, results: Any, tmp_path: Path) -> None:
    file = tmp_path / "model_selection.json"
    own = json.loads((FILES / "own_slots.json").read_text())
    file.write_text(json.dumps(own | {"all_metrics": other, "results": results}))
    assert len(selection.slot_models(file)) == 3
    file.write_text(json.dumps(own | {"all_metrics": other, "slot1_coding": None, "results": results}))
    assert "slot1_coding: expected a model name" in complaint(selection.slot_models, file)


def test_results_come_before_all_metrics(tmp_path: Path) -> None:
    file = tmp_path / "model_selection.json"
    metrics = {"coding_composite": 1, "general_composite": 1}
    file.write_text(json.dumps({"all_metrics": {"a": metrics}, "results": dict.fromkeys("bcd", metrics)}))
    assert list(selection.slot_models(file).values()) == ["b", "b", "c"]

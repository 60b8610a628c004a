import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RESULTS = {
    name: {"coding_composite": coding, "general_composite": general}
    for name, coding, general in [("coder:14b", 0.9, 0.2), ("talker:8b", 0.3, 0.8), ("m", 0.5, 0.5)]
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ollama_slots.selection", *arguments],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("selection") / "model_selection.json"
    path.write_text(json.dumps({"slot2_general": "talker:8b", "results": RESULTS}))
    return str(path)


def test_it_prints_which_model_gets_which_slot_and_why(file: str) -> None:
    done = run(file)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "slot 1  coder:14b  best coding composite 0.900",
        "slot 2  talker:8b  explicit",
        "slot 3  m          best mean of the rest 0.500",
    ]


def test_none_is_shown_as_what_is_computed_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "model_selection.json"
    path.write_text(json.dumps({"slot2_general": "talker:8b", "slot3_backup": "none", "results": RESULTS}))
    assert run(str(path)).stdout.splitlines()[2] == "slot 3  m          best mean of the rest 0.500"
    path.write_text(json.dumps({"slot1_coding": "a", "slot2_general": "b", "slot3_backup": "none"}))
    done = run(str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{path}: slot3_backup: expected a model name, or results with coding_composite")


def test_json_is_for_programs(file: str) -> None:
    done = run("--json", file)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "slot1": {"model": "coder:14b", "why": "best coding composite 0.900"},
        "slot2": {"model": "talker:8b", "why": "explicit"},
        "slot3": {"model": "m", "why": "best mean of the rest 0.500"},
    }


@pytest.mark.parametrize("content", [b"", b"[", b"\xff", b'{"slot9_x": 1}', b'{"slot1_coding": "a\\nb"}', None])
def test_a_bad_or_missing_file_is_one_line_and_exit_1(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    done = run(str(path))
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{path}: ")

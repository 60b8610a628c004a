"""The record of the bases that this tool pulled, as the host keeps it (host/bases.sh)."""

import subprocess
from pathlib import Path

import pytest

from ollama_slots.host import scripts

TAGS = (
    '{"models":[{"name":"hub:5000/me/X.Y:7b","modified_at":"2026-01-15T10:30:00.1Z","size":98,"digest":"aaa",'
    '"details":{"parent_model":"","families":["llama"]}},{"name":"x:7b","modified_at":"2025-01-01T00:00:00Z",'
    '"size":98,"digest":"bbb","details":{"families":null}}]}'
)


def run(directory: Path, *commands: str, tags: str = TAGS) -> int:
    """Runs functions of bases.sh with their record in this directory, against an engine that lists these."""
    script = "\n".join(
        [
            scripts.libraries("bases"),
            f"state_dir={directory} bases={directory}/bases\napi() {{ printf '%s' '{tags}'; }}",
            *commands,
        ]
    )
    return subprocess.run(["sh", "-c", script], capture_output=True, check=False).returncode


def record(directory: Path) -> list[str]:
    assert [it.name for it in directory.iterdir()] == ["bases"]
    return [line for line in (directory / "bases").read_text().splitlines() if line]


def test_a_pull_is_noted_with_the_time_at_which_the_engine_lists_it(tmp_path: Path) -> None:
    assert run(tmp_path, "note_pulled hub:5000/me/x.y:7b", "note_pulled x:7b") == 0
    assert record(tmp_path) == ["hub:5000/me/x.y:7b 2026-01-15T10:30:00.1Z", "x:7b 2025-01-01T00:00:00Z"]


def test_a_second_pull_is_noted_in_the_place_of_the_first_in_any_case(tmp_path: Path) -> None:
    assert run(tmp_path, "note_base X:7b long-ago", "note_base x:70b then", "note_pulled x:7b") == 0
    assert record(tmp_path) == ["x:70b then", "x:7b 2025-01-01T00:00:00Z"]


@pytest.mark.parametrize("other", ["hub:5000/me/x.y:7b-it", "5000/me/x.y:7b", "hub:5000/me/xzy:7b"])
def test_what_is_gone_is_noted_no_more_and_no_other(tmp_path: Path, other: str) -> None:
    gone = "hub:5000/me/x.y:7b"
    assert run(tmp_path, f"note_base {gone} then", f"note_base {other} then", f"note_base {gone.upper()}") == 0
    assert record(tmp_path) == [f"{other} then"]
    assert run(tmp_path, f"note_base {other}") == 0
    assert record(tmp_path) == []


@pytest.mark.parametrize("tags", ['{"models":[]}', "curl: (7) Failed to connect"])
def test_what_the_engine_does_not_list_is_not_noted(tmp_path: Path, tags: str) -> None:
    assert run(tmp_path, "note_base x:7b then", "note_pulled x:7b", tags=tags) != 0
    assert record(tmp_path) == ["x:7b then"]


def test_a_record_that_cannot_be_written_is_a_failure_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "bases").write_text("x:7b then\n")
    (tmp_path / "bases.new").mkdir()
    assert run(tmp_path, "note_base y:7b now") != 0
    assert (tmp_path / "bases").read_text() == "x:7b then\n"

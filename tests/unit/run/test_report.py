"""The file that a run's end is written to: checked before, and written whole or not at all."""

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core.ending import Ended
from ollama_slots.run import report, table
from ollama_slots.run.session import run
from tests.unit.declared import declared
from tests.unit.deploys import AB
from tests.unit.fake import Run, answers
from tests.unit.world import World

HOSTS = {"gpu": Ended(failed=True, why=("no",))}


def test_a_name_in_json_is_for_programs_and_another_for_people(tmp_path: Path) -> None:
    report.write(str(tmp_path / "it.json"), HOSTS)
    assert json.loads((tmp_path / "it.json").read_text()) == {"gpu": {"slots": [], "failed": "no"}}
    report.write(str(tmp_path / "it.txt"), HOSTS)
    assert (tmp_path / "it.txt").read_text().endswith("\n\ngpu: no\n")
    assert {it.name for it in tmp_path.iterdir()} == {"it.json", "it.txt"}


def test_a_report_that_cannot_be_written_is_none_for_the_one_before_would_be_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "it.txt"
    file.write_text("before")
    whole = Path.write_text

    def full(path: Path, data: str, **more: str) -> int:
        whole(path, data[:9], **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        report.write(str(file), HOSTS)
    assert [*tmp_path.iterdir()] == []


def test_who_reads_a_report_while_the_next_one_is_written_reads_it_whole(tmp_path: Path) -> None:
    file = tmp_path / "it.txt"
    file.write_text("before")
    with file.open() as reader:
        report.write(str(file), HOSTS)
        assert reader.read() == "before"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to("it.txt")
    report.write(str(tmp_path / "link.txt"), HOSTS)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "it.txt").is_file()


def test_where_no_file_can_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "dir.txt").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    report.check(str(tmp_path / "it.txt"))
    assert [*(it.name for it in tmp_path.iterdir() if it.name == "it.txt")] == [], "a check writes nothing"
    long = (f"{'a' * 300}.txt", f"{'a' * 246}.txt")  # the last with what is before it until it is whole
    for path in ("none/it.txt", "dir.txt", "pipe.txt", "dir.txt/../none/it.json", *long):
        with pytest.raises(PyinfraError, match=r"^report: expected .*, found [^\n]*$"):
            report.check(str(tmp_path / path))


def test_a_directory_that_cannot_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # what it is for root as well, on a read-only disk
    with pytest.raises(PyinfraError, match=f"^report: expected a directory to write to, found {tmp_path}: "):
        report.check(str(tmp_path / "it.txt"))


def test_a_directory_that_nobody_may_enter_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(path: Path, **_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied", f"{path}")

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(PyinfraError, match=r"^report: [^\n]*$"):
        report.check(str(tmp_path / "it.txt"))


@pytest.mark.parametrize("value", ["it", "it.csv", ".txt.gz", "a\nb.txt", "\x00.txt", 5, True, "", ["it.txt"]])
def test_what_is_no_name_of_a_report_is_refused_as_wrong_data(value: object) -> None:
    with pytest.raises(PyinfraError, match=r"^gpu-a: report: [^\n]*$"):
        declared("a:1b", report=value)


def test_hosts_with_different_reports_are_refused_before_the_run() -> None:
    state = Run([], AB, True, one=answers(World(), AB), two=answers(World(), AB)).state
    one, two = state.inventory
    table.follow(one, AB.model_copy(update={"report": "one.txt"}))
    for other in ("two.txt", None):
        with pytest.raises(
            PyinfraError, match=r"^@fake/two: report: expected one file for all hosts, found one.txt"
        ):
            table.follow(two, AB.model_copy(update={"report": other}))
    assert run(state).awaited == {"@fake/one"}


def test_a_wrong_report_ends_the_run_before_it(tmp_path: Path) -> None:
    with pytest.raises(PyinfraError, match="no directory"):
        Run([], AB.model_copy(update={"report": f"{tmp_path}/none/it.txt"}), False, True, one={})

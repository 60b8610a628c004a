"""Which engine the lab's hosts get, and of what artifacts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import __main__ as commands
from lab import build, cache, disk, engine
from lab.machine import LabError

SHARED = f"llama-server-b{engine.LLAMA_CPP}"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str | None], list[str]]:
    """The names of an engine's artifacts, which are all in the cache; on a machine without an Ollama."""
    monkeypatch.setattr(cache, "CACHE", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(disk, "debian_root", lambda: tmp_path / "root")
    for name in (SHARED, *(f"ollama-{version}" for version in engine.LLAMA_SERVER)):
        (tmp_path / name).mkdir()

    def layers(version: str | None) -> list[str]:
        if version is None:
            monkeypatch.delenv("LAB_ENGINE", raising=False)
        else:
            monkeypatch.setenv("LAB_ENGINE", version)
        return [path.name for path in engine.layers()]

    return layers


Made = Callable[[str | None], list[str]]


@pytest.mark.parametrize("version", [None, "", "0.34.4"])
def test_the_default(made: Made, version: str | None) -> None:
    assert made(version) == ["ollama-0.34.4", SHARED]
    assert engine.simulates_gpu()


def test_all_that_run_a_llama_server_share_one(made: Made) -> None:
    assert made("0.32.15") == ["ollama-0.32.15", SHARED]
    assert engine.simulates_gpu()


def test_what_computes_by_itself_gets_neither_a_llama_server_nor_a_gpu(made: Made) -> None:
    assert made("0.16.2") == ["ollama-0.16.2"]
    assert not engine.simulates_gpu()


@pytest.mark.parametrize("version", ["0.33", "v0.34.4", "latest", "../x", " "])
def test_another_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("LAB_ENGINE", version)
    with pytest.raises(LabError) as refused:
        engine.layers()
    assert str(refused.value) == f"LAB_ENGINE is {version!r}: expected one of 0.34.4, 0.32.15, 0.16.2"


def test_this_machines_own_is_taken_where_none_is_named(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own/bin/ollama"
    for file in (own, tmp_path / "own/lib/ollama/llama-server"):
        file.parent.mkdir(parents=True)
        file.write_text(file.name)
    monkeypatch.setattr(shutil, "which", lambda name: str(own) if name == "ollama" else None)
    [name] = made(None)
    assert name.startswith("engine-installed-")
    assert (tmp_path / name / "usr/local/bin/ollama").read_text() == "ollama"
    assert (tmp_path / name / "opt/llama.cpp/llama-server").read_text() == "llama-server"
    assert made("0.34.4") == ["ollama-0.34.4", SHARED]


def test_the_lab_is_another_one_with_another_engine(made: Made) -> None:
    stamps = []
    for version in engine.LLAMA_SERVER:
        made(version)
        stamps.append(commands.made_of())
    assert len(set(stamps)) == len(engine.LLAMA_SERVER)
    made(None)
    assert commands.made_of() == stamps[0]


def test_a_release_has_a_root_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "artifact", lambda name, _: Path(name))
    monkeypatch.delenv("LAB_RELEASE", raising=False)
    own = build.debian_root()
    monkeypatch.setenv("LAB_RELEASE", "trixie")
    assert build.debian_root().name.startswith("root-trixie-")
    monkeypatch.setenv("LAB_RELEASE", "")
    assert build.debian_root() == own
    monkeypatch.setenv("LAB_RELEASE", "../trixie")
    with pytest.raises(LabError, match=r"LAB_RELEASE is '\.\./trixie': expected the code name of a release"):
        build.debian_root()

"""What a write that was cut off left, as after a power cut: found by a look, cleared away by the next deploy."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds

A = declared("a:1b")
STATES, OURS = "var/lib/ollama-slots", "{store}/.ollama-slots"


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    holds(host, "one", "a:1b")
    host.deploy(A)
    return host


def left(host: DirectoryHost, path: str, seconds_ago: float = 90) -> Path:
    file = host.root / path.format(store=host.store)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{")
    os.utime(file, (time.time() - seconds_ago,) * 2)
    return file


@pytest.mark.parametrize(
    "path",
    [
        f"{OURS}/.manifest-ollama",
        f"{OURS}/.manifest",
        f"{OURS}/.fetch/.said",
        f"{OURS}/.fetch/.manifest",
        f"{STATES}/one.slot.new",
        f"{STATES}/previous/one.slot.new",
        f"{STATES}/bases.new",
        f"{STATES}/unfinished/.{'a' * 64}",
        f"{STATES}/unfinished/{'a' * 64}.new",
        "etc/ollama/modelfiles/one.Modelfile.new",
        "etc/ollama/ollama-slots.env.new",
        "etc/systemd/system/ollama-warmup.service.new",
        "etc/systemd/system/ollama.service.d/zz-ollama-slots.conf.new",
        "usr/local/lib/ollama-slots/ollama-warmup.sh.new",
    ],
)
def test_a_deploy_that_has_nothing_else_to_do_clears_it_away(one: DirectoryHost, path: str) -> None:
    file = left(one, path)
    before = one.digest("one:latest")
    assert [str(it) for it in one.plan(A)] == [
        f"remove /{file.relative_to(one.root)}, left by a write that was cut off"
    ]
    one.deploy(A)
    assert not file.exists()
    assert one.plan(A) == []
    assert one.digest("one:latest") == before


def test_what_another_deploy_may_be_writing_now_is_left(one: DirectoryHost) -> None:
    file = left(one, f"{STATES}/bases.new", 0)
    assert one.plan(A) == []
    started = one.root / one.paths["started"].lstrip("/")
    started.parent.mkdir(parents=True)
    started.symlink_to("f" * 32)  # by systemd, since
    assert one.found(A).scraps == (f"/{file.relative_to(one.root)}",), "before Ollama's start there was another"


def test_what_a_fetch_is_writing_is_left(one: DirectoryHost) -> None:
    left(one, f"{OURS}/.fetch/.said")
    with (one.root / "run/ollama-slots-fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert one.plan(A) == []
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert len(one.plan(A)) == 1


@pytest.mark.parametrize(
    "path", [f"{STATES}/notes.txt", "etc/systemd/system/mine.service.new", f"{OURS}/.manifest-ollama-second"]
)
def test_what_is_somebody_elses_is_left(one: DirectoryHost, path: str) -> None:
    left(one, path)
    assert one.plan(A) == []


def test_several_are_one_step(one: DirectoryHost) -> None:
    for path in (f"{STATES}/bases.new", f"{STATES}/one.slot.new"):
        left(one, path)
    [step] = one.plan(A)
    assert " and 1 more, left by a write that was cut off" in str(step)
    one.deploy(A)
    assert one.found(A).scraps == ()


@pytest.mark.parametrize("part", ["manifests", "blobs"])
def test_a_directory_of_an_earlier_version_by_which_ollama_would_not_start_is_mended(
    one: DirectoryHost, part: str
) -> None:
    """Where the part is a disk of its own: among them Ollama's user has to read every directory."""
    aside = one.store / part / ".ollama-slots"
    for directory in [aside, aside / ".fetch"][: 2 if part == "blobs" else 1]:
        directory.mkdir(mode=0o700)
    if part == "blobs":
        (aside / f".fetch/sha256-{'a' * 64}-partial").write_text("x")
    for directory in (aside / ".fetch", aside):
        if directory.exists():
            os.utime(directory, (time.time() - 90,) * 2)
    [step] = one.plan(A)
    assert str(aside.relative_to(one.root)) in str(step)
    one.deploy(A)
    assert one.plan(A) == []
    if part == "manifests":
        assert not aside.exists()
    else:
        assert [it.stat().st_mode & 0o777 for it in (aside, aside / ".fetch")] == [0o755] * 2
        assert len(list((aside / ".fetch").iterdir())) == 1, "a fetch goes on from it"

"""A store whose parts are on two disks: what takes a name there does it by a rename on one of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollama_slots.host import scripts
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.served import WEIGHTS, Registry, served, sha256
from tests.unit.host.slots import holds, names, pulled, rotate, weights
from tests.unit.host.test_fetch_into_a_store import fetch
from tests.unit.host.test_sees import sees

A, B, W = weights("a:1b"), weights("b:1b"), sha256(WEIGHTS)

# What is moved from one disk to another is told; it would be a copy, which a power cut or a full disk may end.
MV = """#!/bin/sh
for to; do case $to in -*) ;; *) from=${from:-$to} ;; esac; done
[ "$(stat -c %d "$from")" = "$(stat -L -c %d "${to%/*}")" ] || echo "$*" >>ROOT/crossed
exec /bin/mv "$@"
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on another filesystem."""
    try:
        path = Path(tempfile.mkdtemp(dir="/dev/shm"))
    except OSError:
        pytest.skip("this machine has no /dev/shm")
    if path.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("on this machine all is one filesystem")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def mirror() -> Iterator[Registry]:
    with served() as it:
        it.publish("me/x.y", "q4", WEIGHTS)
        yield it


@pytest.fixture(params=["blobs", "manifests", ""])
def split(host: DirectoryHost, disk: Path, request: pytest.FixtureRequest) -> DirectoryHost:
    """One of which a part of the store, or the whole, is a link to the other disk."""
    part = host.store / request.param if request.param else host.store
    (disk / "here").mkdir()
    shutil.copytree(part, disk / "here", dirs_exist_ok=True)
    shutil.rmtree(part)
    part.symlink_to(disk / "here")
    (host.root / "bin/mv").write_text(MV.replace("ROOT", str(host.root)))
    (host.root / "bin/mv").chmod(0o755)
    return host


def crossed(host: DirectoryHost) -> str:
    file = host.root / "crossed"
    return file.read_text() if file.exists() else ""


def test_a_rotation_and_what_it_leaves(split: DirectoryHost) -> None:
    holds(split, "one", "a:1b")
    pulled(split, "b:1b")
    done = rotate(split, "one", "b:1b")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert names(split, "one") == {"latest": B, "current": B, "previous": A}
    assert crossed(split) == ""
    assert [it for it in split.store.rglob(".ollama-slots/*") if it.is_file()] == []
    assert not (split.store / "manifests/.ollama-slots").exists(), "Ollama goes through it at its start"
    assert split.faults(declared("b:1b")) == {}


def test_a_fetch_that_is_gone_on_with(split: DirectoryHost, mirror: Registry) -> None:
    """What it brings lies on the disk that it is for, and not on the other, which may be small."""
    mirror.cut = [300_000, 0]
    assert fetch(split, mirror).code == 1
    [left] = [it for it in split.stored().unfinished if it.blob == f"sha256:{W}"]
    assert left.ours
    [partial] = [
        Path(at) / file
        for at, _, files in os.walk(split.store, followlinks=True)
        for file in files
        if file == f"sha256-{W}-partial"
    ]
    assert partial.stat().st_dev == (split.store / "blobs").stat().st_dev
    aside = split.store / "blobs/.ollama-slots"
    assert not aside.exists() or {it.stat().st_mode & 0o777 for it in (aside, aside / ".fetch")} == {0o755}
    assert fetch(split, mirror).code == 0
    assert mirror.sent[f"/v2/me/x.y/blobs/sha256:{W}"] == len(WEIGHTS)
    assert split.engine.model("me/x.y:q4").weights == W
    assert not (split.store / "manifests/.ollama-slots").exists()
    assert crossed(split) == ""
    assert split.stored().unfinished == ()


def test_the_room_is_that_of_the_disk_of_the_blobs(split: DirectoryHost) -> None:
    free = shutil.disk_usage(split.store / "blobs").free
    told = split.details([]).disk_free
    assert told is not None
    assert abs(told - free) < 10**8, "somebody may write meanwhile"


def test_a_pull_of_ollamas_that_was_cut_off_is_seen_behind_a_link(split: DirectoryHost) -> None:
    split.engine.publish("a:1b")
    split.engine.pulls = ["cut"]
    given = {"url": split.engine.url, "model": "a:1b", "insecure": "false", "record_base": "yes", "damaged": ""}
    assert split.run("pull", **given, stall_seconds=300, total_seconds=20, lock_seconds=1).code == 1
    [left] = split.stored().unfinished
    assert (left.blob, left.ours) == (f"sha256:{A}", True)
    details = split.details([])
    assert details.blobs
    assert A in details.blobs


def test_a_disk_without_links_of_files_is_one_like_any_other() -> None:
    """exFAT, some network filesystems: none of what is done in a store makes one."""
    for script in scripts.HERE.glob("*.sh"):
        assert " ln " not in script.read_text(), script


def test_where_a_file_waits_for_its_name(tmp_path: Path, disk: Path) -> None:
    store = tmp_path / "x"
    (store / "blobs").mkdir(parents=True)
    (store / "away").symlink_to(disk)
    for directory, there in (("blobs", store), ("away", store / "away"), ("none", store)):
        assert sees(tmp_path, f"beside {store} {store}/{directory}") == (0, f"{there}/.ollama-slots")

"""What an unfinished pull has brought: it leaves no disk full, and is cleared away where it is ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, Run, until
from tests.lab.slow import BLOBS, FAST, PARTIAL, RECORDS, SLOW, SlowRegistry, forget, nothing_goes_on, pulled
from tests.lab.slow import slow_registry as serve_slowly

MB = 10**6
SMALL = "/run/small-disk"
THEIRS = f"{BLOBS}/sha256-{'7' * 64}-partial"


@pytest.fixture
def without_it(project: Project, gpu1: Host) -> Iterator[Project]:
    """The deployed project, on whose first host the model of these tests is not."""
    forget(project, gpu1)
    yield project
    forget(project, gpu1)


@pytest.fixture
def small_disk(without_it: Project, gpu1: Host) -> Iterator[Project]:
    """The engine writes its blobs to a disk of 40 MiB; those that are there it goes on reading where they are."""
    layers = f"lowerdir={BLOBS},upperdir={SMALL}/blobs,workdir={SMALL}/work"
    gpu1.run(f"mkdir {SMALL} && mount -t tmpfs -o size=40m small-disk {SMALL} && mkdir {SMALL}/blobs {SMALL}/work")
    gpu1.run(f"chown ollama: {SMALL}/blobs && mount -t overlay -o {layers} small-disk {BLOBS}")
    try:
        yield without_it
    finally:
        gpu1.run(f"umount -l {BLOBS}; umount -l {SMALL}; rmdir {SMALL}")


def test_a_full_disk_is_not_left_full(small_disk: Project, gpu1: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the control machine nobody gets to the registry: so nobody knows that there is too little room."""
    for it in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(it, "http://127.0.0.1:9")
    before = gpu1.made()
    run = small_disk.deploy(f"slot4_model={FAST}", options=("-y", "--limit", "gpu1"))
    assert run.code == 1
    why = "no space left on device, so its partial download was removed"
    assert run.lines("gpu1", f"pull of {FAST} failed: {why}"), run.output
    assert int(gpu1.out(f"du -sb {SMALL} | cut -f 1")) < 1 * MB
    assert not gpu1.out(f"ls -d {PARTIAL}* {RECORDS}/* 2>/dev/null || true")
    assert gpu1.made() == before
    assert all(gpu1.answers(slot) for slot in SLOTS)


def test_a_disk_of_the_blobs_that_is_too_small_is_told_of_before_the_pull(small_disk: Project, gpu1: Host) -> None:
    run = small_disk.deploy(f"slot4_model={FAST}", options=("-y", "--limit", "gpu1"))
    assert run.code == 1
    assert run.lines("gpu1", f"disk: expected 0.1 GB for {FAST} and 2.1 GB of headroom, found 0.0 GB free")
    assert not gpu1.out(f"ls -d {PARTIAL}* {RECORDS}/* 2>/dev/null || true")


def prune(project: Project, *data: str) -> Run:
    run = project.deploy(SLOT4, *data, tasks="tasks/prune.py", options=("-y", "--limit", "gpu1"))
    assert run.code == 0, run.output
    return run


def cut_off(project: Project, host: Host) -> int:
    """A deploy that is killed in its pull; the bytes that it leaves."""
    run = project.start("--limit", "gpu1", "--data", f"slot4_model={SLOW}")
    until("it pulls", lambda: pulled(host) > 5 * MB)
    run.kill()
    run.wait(60)
    until("nothing of it goes on", lambda: nothing_goes_on(host))
    until("it is recorded", lambda: host.out(f"cat {RECORDS}/*").startswith(f"{SLOW} 1"))
    return int(host.out(f"du -cB 1 {PARTIAL}* | tail -n 1 | cut -f 1"))


def test_what_a_pull_left_goes_while_nobody_goes_on_with_it(
    without_it: Project, gpu1: Host, tmp_path: Path
) -> None:
    gpu1.run(f"truncate -s 1M {THEIRS} && echo '{{}}' >{THEIRS}-0")
    try:
        with serve_slowly(tmp_path) as slow:
            assert_theirs_stays(without_it, gpu1, slow)
            forget(without_it, gpu1)
            size = cut_off(without_it, gpu1)
        listed = prune(without_it)
        assert (listed.changes, pulled(gpu1) > 0) == (0, True)
        [row] = listed.lines("gpu1", SLOW, "its pull is unfinished, and no slot has it as its base")
        assert f" {size} " in row
        assert prune(without_it, "prune=true").changes == 1
        assert not gpu1.out(f"ls -d {PARTIAL}* {RECORDS}/* 2>/dev/null || true")
        assert gpu1.out(f"ls {THEIRS} {THEIRS}-0")
        assert prune(without_it, "prune=true").changes == 0
        assert gpu1.resident(*SLOTS)
    finally:
        gpu1.run(f"rm -f {THEIRS}*")


def assert_theirs_stays(project: Project, host: Host, slow: SlowRegistry) -> None:
    """Someone goes on with a pull of ours: it is in no danger while it goes on, and is theirs after that."""
    left = cut_off(project, host)
    request = f'{{"model":"{SLOW}","insecure":true}}'
    host.run(f"systemd-run --quiet --unit=theirs curl -sN -d '{request}' http://127.0.0.1:11434/api/pull")
    until("they pull", lambda: pulled(host) > left)
    with slow.silent():
        assert_it_stays(project)
        host.run("systemctl kill --signal=KILL theirs; systemctl reset-failed theirs")
        until("they have stopped", lambda: nothing_goes_on(host))
    assert_it_stays(project)
    assert pulled(host) > left


def assert_it_stays(project: Project) -> None:
    run = prune(project, "prune=true")
    assert run.lines("gpu1", SLOW, "stays", "its pull is running, or someone else resumed it"), run.output

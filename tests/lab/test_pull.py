"""A pull shows itself; one that is cut off, or stalls, loses nothing and leaves nothing running."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import registry
from tests.lab.fleet import SLOTS, Host, Project, until
from tests.lab.slow import SLOW, SlowRegistry, forget, nothing_goes_on, pulled, slow_registry

DATA = ("--limit", "gpu1", "--data", f"slot4_model={SLOW}")
BROKE = "the connection broke, or the command was killed: the next run goes on from what the host has"
MB = 10**6


@pytest.fixture
def slow(tmp_path: Path, project: Project, gpu1: Host) -> Iterator[SlowRegistry]:
    """A registry that takes its time, for a model that the host does not have."""
    forget(project, gpu1)
    with slow_registry(tmp_path) as it:
        yield it
    forget(project, gpu1)


def cut_the_connection(host: Host) -> None:
    """Kills the sshd of the session that pulls."""
    is_sshd = '[ "$(ps -o comm= -p $it)" = sshd ]'
    host.run(
        f"it=$(pgrep -fx 'curl .*/api/pull'); until {is_sshd}; do it=$(ps -o ppid= -p $it); done; kill -9 $it"
    )


def begun(project: Project, host: Host, *data: str) -> subprocess.Popen[str]:
    """A deploy that is pulling."""
    before = pulled(host)
    run = project.start(*DATA, *data)
    until("it pulls", lambda: pulled(host) > before + 5 * MB)
    return run


def ended(run: subprocess.Popen[str], host: Host, why: str, figures: list[str]) -> str:
    """What a run said that has come to its end, once nothing of it goes on."""
    said, _ = run.communicate(timeout=30)
    seconds = until("nothing of it goes on", lambda: nothing_goes_on(host), 10)
    figures.append(f"{why}: on the host it ends {seconds:.1f} s later, {pulled(host) / MB:.0f} MB stay")
    return said


def test_what_was_pulled_is_not_pulled_again(
    project: Project, gpu1: Host, slow: SlowRegistry, figures: list[str]
) -> None:
    before, size = gpu1.made(), registry.weights("smollm2-slow:135m").stat().st_size

    run = begun(project, gpu1)
    run.kill()
    ended(run, gpu1, "pyinfra killed in a pull", figures)

    run = begun(project, gpu1)
    cut_the_connection(gpu1)
    said = ended(run, gpu1, "SSH cut in a pull", figures)
    assert run.returncode == 1
    assert BROKE in said

    run = begun(project, gpu1, "--data", "pull_stall_seconds=2")
    with slow.silent():
        said = ended(run, gpu1, "a pull that stalled", figures)
    assert run.returncode == 1
    assert re.search(rf"pull of {SLOW} stalled: \d{{8}} of {size} bytes, none in 2 s", said), said
    assert gpu1.made() == before
    assert all(gpu1.answers(slot) for slot in SLOTS)

    kept = pulled(gpu1)
    last = project.deploy(f"slot4_model={SLOW}", options=("-y", "--limit", "gpu1"))
    assert last.code == 0, last.output
    assert last.lines("gpu1", f"{SLOW}: goes on from "), last.output
    assert last.lines("gpu1", f"{SLOW}:", "of 98 MB", "MB/s", "s left"), last.output
    assert gpu1.parent("experimental") == SLOW
    sent = slow.sent()
    figures.append(f"{size / MB:.0f} MB in four pulls, three of them cut off: {sent / MB:.0f} MB were sent")
    assert sent < 1.1 * size
    assert kept > 15 * MB

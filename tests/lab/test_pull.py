"""A pull shows itself; one that is cut off, or stalls, loses nothing and leaves nothing running."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import registry
from tests.lab.fleet import SLOTS, Host, Project, Running, until
from tests.lab.slow import SLOW, SlowRegistry, forget, nothing_goes_on, pulled, slow_registry

DATA = ("--limit", "gpu1", "--data", f"slot4_model={SLOW}")
BROKE = "the connection broke, or the command was killed: the next run resumes from what the host has"
MB = 10**6


@pytest.fixture
def without_it(project: Project, gpu1: Host) -> Iterator[Project]:
    """The deployed project, on whose first host the model of this test is not."""
    forget(project, gpu1)
    yield project
    forget(project, gpu1)


def cut_the_connection(host: Host) -> None:
    """Kills the sshd of the session that pulls; from OpenSSH 9.8 on its name is sshd-session."""
    is_sshd = "ps -o comm= -p $it | grep -q ^sshd"
    host.run(
        f"it=$(pgrep -fx 'curl .*/api/pull'); until {is_sshd}; do it=$(ps -o ppid= -p $it); done; kill -9 $it"
    )


def begun(project: Project, host: Host, *data: str) -> Running:
    """A deploy that is pulling."""
    before = pulled(host)
    run = project.start(*DATA, *data)
    until("it pulls", lambda: pulled(host) > before + 5 * MB)
    return run


def ended(run: Running, host: Host, why: str, figures: list[str]) -> str:
    """What a run said that has come to its end, once nothing of it goes on."""
    said = run.ended(60).output
    seconds = until("nothing of it goes on", lambda: nothing_goes_on(host))
    figures.append(f"{why}: on the host it ends {seconds:.1f} s later, {pulled(host) / MB:.0f} MB stay")
    return said


def test_what_was_pulled_is_not_pulled_again(
    without_it: Project, gpu1: Host, tmp_path: Path, figures: list[str]
) -> None:
    before, size = gpu1.made(), registry.weights("smollm2-slow:135m").stat().st_size
    with slow_registry(tmp_path) as slow:
        cut_off_three_times(without_it, gpu1, slow, figures)
    assert gpu1.made() == before
    assert all(gpu1.answers(slot) for slot in SLOTS)

    kept = pulled(gpu1)
    # Slow enough for a line of progress.
    with slow_registry(tmp_path, "limit_rate 12m;") as slow:
        last = without_it.deploy(f"slot4_model={SLOW}", options=("-y", "--limit", "gpu1"))
    assert last.code == 0, last.output
    assert last.lines("gpu1", f"{SLOW}: resuming at "), last.output
    assert last.lines("gpu1", f"{SLOW}:", "of 98 MB", "MB/s", "s left"), last.output
    assert gpu1.parent("experimental") == SLOW
    sent = slow.sent()
    figures.append(f"{size / MB:.0f} MB in four pulls, three of them cut off: {sent / MB:.0f} MB were sent")
    assert sent < 1.1 * size
    assert kept > 15 * MB


def cut_off_three_times(project: Project, host: Host, slow: SlowRegistry, figures: list[str]) -> None:
    """Each of the three ways in which a pull is cut off leaves what it has brought, and nothing that goes on."""
    run = begun(project, host)
    run.kill()
    ended(run, host, "pyinfra killed in a pull", figures)

    run = begun(project, host)
    cut_the_connection(host)
    said = ended(run, host, "SSH cut in a pull", figures)
    assert run.returncode == 1
    assert BROKE in said

    size = registry.weights("smollm2-slow:135m").stat().st_size
    run = begun(project, host, "--data", "pull_stall_seconds=2")
    with slow.silent():
        said = ended(run, host, "a pull that stalled", figures)
    assert run.returncode == 1
    assert re.search(rf"pull of {SLOW} stalled: \d{{8}} of {size} bytes, none in 2 s", said), said

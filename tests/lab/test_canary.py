"""Canaries are deployed to and proven first; where one fails, no other host is touched."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest

from tests.lab.fleet import SLOTS, Host, Project, model

SPARE = model("smollm2-spare:135m")
GPU = "/etc/simulated-gpu"
STATE = """
stat -c '%n %y' /etc/systemd/system/ollama* /etc/systemd/system/*/ollama* /usr/local/lib/ollama-slots/*
stat -c '%n %y' /etc/ollama/modelfiles/* /var/lib/ollama-slots /var/lib/ollama-slots/*
systemctl show -p MainPID -p ActiveEnterTimestamp ollama ollama-warmup
"""


@pytest.fixture
def canary(project: Project) -> Project:
    """A project whose hosts would both change, gpu1 as the canary."""
    (project.path / "inventory.py").write_text('lab = ["gpu1", "gpu2"]\ncanary = ["gpu1"]\n')
    project.select(slot3_backup=SPARE)
    return project


def state(host: Host) -> tuple[Any, ...]:
    """All that a deploy could change."""
    return host.made(), sorted(host.ps()), host.runners(), host.out(STATE)


@contextmanager
def no_driver(host: Host) -> Any:
    """For the time of the ``with``, Ollama does not see the GPU that the host has."""
    host.run(f"mv {GPU} {GPU}.away && systemctl restart ollama")
    yield
    # The warm-up that waits for the driver would restart Ollama as well, a second later.
    host.run(f"systemctl kill ollama-warmup; mv {GPU}.away {GPU} && systemctl restart ollama")


@pytest.mark.parametrize(
    ("data", "meanwhile", "words"),
    [
        (f"slot2_model={model('unknown-arch:135m')}", nullcontext, "the candidate does not answer"),
        ("canary_min_tokens_per_sec=100000", nullcontext, "expected at least 100000 tokens per second, found"),
        pytest.param("api_seconds=10", no_driver, "found none when Ollama was started", marks=pytest.mark.gpu),
    ],
    ids=["does not load", "too slow", "on the CPU"],
)
def test_no_other_host_is_touched_where_a_canary_fails(
    canary: Project,
    gpu1: Host,
    gpu2: Host,
    data: str,
    meanwhile: Callable[..., AbstractContextManager[None]],
    words: str,
) -> None:
    before = state(gpu2)
    with meanwhile(*([gpu1] if meanwhile is no_driver else [])):
        run = canary.deploy(data)
    assert run.code == 1
    assert words in run.output, run.output
    assert run.lines("[gpu2]", "not touched: canary gpu1 failed"), run.output
    assert run.lines("gpu2", "-", "not touched: a canary failed"), "so does the table"
    assert state(gpu2) == before


def test_the_others_follow_a_canary_that_is_well(canary: Project, gpu1: Host, gpu2: Host) -> None:
    run = canary.deploy("canary_min_tokens_per_sec=1")
    assert run.code == 0, run.output
    for host in (gpu1, gpu2):
        assert host.parent("backup") == SPARE
        assert host.resident(*SLOTS)
    rotations = [line for line in run.output.splitlines() if "slot backup: " in line]
    assert ["gpu1" in line for line in rotations] == [True, False], "the canary comes first"
    again = canary.deploy("canary_min_tokens_per_sec=1")
    assert (again.code, again.changes) == (0, 0), again.output


def test_a_canary_that_is_out_of_reach_has_failed(canary: Project, gpu1: Host, gpu2: Host) -> None:
    before = state(gpu2)
    gpu1.run("systemctl stop ssh.socket ssh 2>/dev/null; true")
    try:
        run = canary.deploy()
    finally:
        gpu1.run("systemctl start ssh")
    assert run.code == 1
    assert run.lines("[gpu2]", "not touched: canary gpu1 failed"), run.output
    assert state(gpu2) == before


def test_a_run_without_the_canary_goes_on(canary: Project, gpu1: Host, gpu2: Host) -> None:
    before = state(gpu1)
    run = canary.deploy(options=("-y", "--limit", "gpu2"))
    assert run.code == 0, run.output
    assert gpu2.parent("backup") == SPARE
    assert state(gpu1) == before

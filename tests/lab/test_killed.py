"""A deploy that is killed leaves every slot answering, and the next one finishes the work."""

from __future__ import annotations

import os
import signal
import time

from lab import hosts
from tests.lab.fleet import SLOTS, Host, Project, catch, model, until
from tests.lab.hold import held

MODELS = ("smollm2-chat:135m", "smollm2-spare:135m")
ONE = ("-y", "--limit", "gpu1")
MOMENTS = (0.05, 0.15, 0.25, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)  # of a deploy with a rotation


def test_killed_at_ten_moments(project: Project, gpu1: Host, figures: list[str]) -> None:
    for name in MODELS:
        gpu1.api("/api/pull", {"model": model(name), "insecure": True, "stream": False})
    project.select(slot1_coding=model(MODELS[1]))
    start = time.monotonic()
    assert project.deploy(options=ONE).code == 0
    whole = time.monotonic() - start  # on this machine, as busy as it is
    for number, part in enumerate(MOMENTS):
        wanted = model(MODELS[number % 2])
        project.select(slot1_coding=wanted)
        figures.append(f"killed after {part:.0%} of {whole:.1f} s: {killed(project, gpu1, part * whole)}")
        healed = project.deploy(options=ONE)
        assert healed.code == 0, healed.output
        assert_as_declared(gpu1, wanted)
        assert project.deploy(options=ONE).changes == 0


def killed(project: Project, host: Host, moment: float) -> str:
    """Kills a deploy after so many seconds, and has every slot answer then; what it was doing."""
    run = project.start("--limit", host.name)
    time.sleep(moment)
    os.kill(run.pid, signal.SIGKILL)
    said = run.ended(60).output
    for slot in SLOTS:
        assert host.answers(slot), f"{slot} after: {said}"
    doing = [line.strip() for line in said.splitlines() if "[gpu1]" in line or "Starting" in line]
    return doing[-1] if doing else "before any connection"


def assert_as_declared(host: Host, wanted: str) -> None:
    """Every slot is resident, and nothing else is there."""
    assert host.parent("coding-primary") == wanted
    assert host.resident(*SLOTS)
    assert len(host.ps()) == 4, "no weights are left in memory that no slot uses"
    left = host.out(
        "find /run/ollama-slots /usr/share/ollama/.ollama/models/.ollama-slots -mindepth 1; "
        "find /etc/ollama /var/lib/ollama-slots /usr/share/ollama -name '*.new'"
    )
    assert left == ""


def test_the_host_loses_its_power_in_a_rotation(project: Project, gpu1: Host) -> None:
    """With the candidate made as NAME:current, which then means again what the slot serves."""
    project.select(slot1_coding=model("smollm2-spare:135m"))
    assert project.deploy().code == 0
    before = {name: it["digest"] for name, it in gpu1.tags().items()}
    project.select(slot1_coding=model("smollm2-chat:135m"))
    with held(gpu1):  # so that it is not switched to yet
        run = project.start("--limit", "gpu1")
        catch("the candidate is made", lambda: made_anew(gpu1, before["coding-primary:current"]))
        hosts.stop("gpu1")
        assert run.wait(120) == 1
        hosts.start("gpu1")
    until("every slot is hot", lambda: gpu1.active("ollama-warmup") == "active")
    assert gpu1.resident(*SLOTS)
    project.select(slot1_coding=model("smollm2-spare:135m"))
    healed = project.deploy()
    assert healed.code == 0, healed.output
    assert healed.lines("gpu1", "put coding-primary:current back, its rotation was interrupted"), healed.output
    assert {name: it["digest"] for name, it in gpu1.tags().items() if name in before} == before
    assert gpu1.answers("coding-primary:previous")
    project.select(slot1_coding=model("smollm2-chat:135m"))
    assert project.deploy().code == 0
    assert_as_declared(gpu1, model("smollm2-chat:135m"))


def made_anew(host: Host, digest: str) -> bool:
    """Whether NAME:current means something else than that."""
    return bool(host.tags()["coding-primary:current"]["digest"] != digest)

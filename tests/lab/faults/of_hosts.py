"""Hosts and ways to them that are gone, or go in the middle of a deploy."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from subprocess import Popen

from lab import hosts
from tests.lab.faults.fault import Stage, fault
from tests.lab.faults.of_engines import OTHER, hot
from tests.lab.faults.of_registries import NEW, SLOW, pulling
from tests.lab.fleet import LOCK, Host, until
from tests.lab.upstream import upstream

BROKE = "the connection broke|the host could not be read|SSH session not active"


def drop(host: Host, address: str = "10.79.0.11") -> None:
    """Ends the sshd process that serves this machine's pyinfra: its connection breaks, its command does not."""
    connections = subprocess.check_output(["ss", "-tnpH", "dst", address], text=True)
    [port] = re.findall(r"10\.79\.0\.1:(\d+) .*\"(?:python|pyinfra)", connections)
    host.run(f"kill -9 $(ss -tnpH dport = :{port} | sed 's/.*pid=\\([0-9]*\\).*/\\1/')")


def connected() -> bool:
    """Whether pyinfra is connected to gpu1."""
    return '"py' in subprocess.check_output(["ss", "-tnpH", "dst", "10.79.0.11"], text=True)


@fault(1, "Could not connect")
def unreachable(stage: Stage) -> None:
    """Another host cannot be reached."""
    hosts.stop("gpu2")
    stage.limit = "lab"
    try:
        stage.deploy()
    finally:
        hosts.start("gpu2")


@fault(1, f"Authentication failed|EOF error|{BROKE}")
def dropped_at_once(stage: Stage) -> None:
    """SSH breaks at the login."""

    def go(_: Popen[str]) -> None:
        until("pyinfra is connected", connected, every=0.01)
        drop(stage.gpu1)

    stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(1, BROKE)
def dropped_in_a_read(stage: Stage) -> None:
    """SSH breaks while the host is read."""

    def go(_: Popen[str]) -> None:
        until("the host is read", stage.reading, every=0)
        drop(stage.gpu1)

    stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(1, BROKE, again=False)
def dropped_in_a_pull(stage: Stage) -> None:
    """SSH breaks in a pull."""
    with upstream(stage.path, SLOW):

        def go(_: Popen[str]) -> None:
            until("a blob is under way", lambda: pulling(stage))
            drop(stage.gpu1)

        stage.deploy(NEW, during=go)


@fault(1, BROKE)
def dropped_in_a_rotation(stage: Stage) -> None:
    """SSH breaks in a rotation."""

    def go(_: Popen[str]) -> None:
        until("a rotation is under way", stage.gpu1.rotating)
        drop(stage.gpu1)

    stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(1, BROKE, loses=True)
def dropped_in_the_warm_up(stage: Stage) -> None:
    """SSH breaks in the warm-up."""
    stage.gpu1.run("systemctl stop ollama-warmup; ollama stop general-primary; ollama stop backup")

    def go(_: Popen[str]) -> None:
        until("the warm-up runs", lambda: stage.gpu1.active("ollama-warmup") == "activating", every=0.01)
        drop(stage.gpu1)

    stage.deploy(during=go)


@fault(1, f"{BROKE}|does not answer", loses=True)
def rebooted(stage: Stage) -> None:
    """The host is rebooted in a rotation."""

    def go(_: Popen[str]) -> None:
        until("a rotation is under way", stage.gpu1.rotating)
        hosts.reboot("gpu1")

    stage.deploy(f"slot1_model={OTHER}", during=go)
    hot(stage.gpu1)


@fault(-signal.SIGKILL, "")
def deploy_killed(stage: Stage) -> None:
    """The deploy itself is killed in a rotation."""

    def go(deploy: Popen[str]) -> None:
        until("a rotation is under way", stage.gpu1.rotating)
        deploy.kill()

    stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(0, "waits for the rotation of slot coding-primary, begun at ")
def two_at_once(stage: Stage) -> None:
    """Two deploys at once."""
    first = stage.project.start("--limit", "gpu1", "--data", f"slot1_model={OTHER}")
    holder = f"$(sed -n 's/.*rotation.* process //p' {LOCK})"
    stage.gpu1.run(f"while flock -s -n {LOCK} true || ! kill -STOP {holder}; do sleep 0.01; done")

    def go(_: Popen[str]) -> None:
        time.sleep(3)  # a rotation takes less
        stage.gpu1.run(f"kill -CONT {holder}")

    stage.deploy(f"slot1_model={OTHER}", during=go)
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said


@fault(0, "waits for a test that sleeps")
def holder_killed(stage: Stage) -> None:
    """Who holds the lock of a host is killed."""
    hold = f"exec 9>>{LOCK}; flock 9; echo 'a test that sleeps' >{LOCK}; exec sleep 600"
    stage.gpu1.run(f'systemd-run --quiet --collect --unit=sleeper sh -c "{hold}"')
    until("the lock is held", stage.gpu1.held)

    def go(_: Popen[str]) -> None:
        time.sleep(2)
        stage.gpu1.run("systemctl kill --signal=KILL sleeper")

    stage.deploy(during=go)

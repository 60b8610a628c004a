"""Hosts and ways to them that are gone, or go in the middle of a deploy."""

from __future__ import annotations

import re
import signal
import subprocess
from subprocess import Popen

from lab import hosts
from tests.lab.faults.fault import Stage, fault
from tests.lab.faults.of_engines import OTHER, hot
from tests.lab.faults.of_registries import NEW, pulling
from tests.lab.fleet import LOCK, Host, Running, catch, holds, until
from tests.lab.hold import held, silent
from tests.lab.upstream import TRICKLE, upstream

BROKE = "the connection broke|the host could not be read|SSH session not active"


def drop(host: Host, address: str = "10.79.0.11") -> None:
    """Ends what serves this machine's pyinfra: its connection breaks, its command does not.

    From OpenSSH 9.8 on, that is two processes, which hold the connection both.
    """
    connections = subprocess.check_output(["ss", "-tnpH", "dst", address], text=True)
    [port] = re.findall(r"10\.79\.0\.1:(\d+) .*\"(?:python|pyinfra)", connections)
    kill = f"kill -9 $(ss -tnpH dport = :{port} | grep -o 'pid=[0-9]*' | cut -d = -f 2)"
    # The kernel takes a connection before any sshd does.
    catch("sshd has taken the connection", lambda: host.run(kill, check=False).returncode == 0)


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


@fault(1, f"Authentication failed|EOF error|Could not connect|{BROKE}")
def dropped_at_once(stage: Stage) -> None:
    """SSH breaks at the login."""

    def go(_: Popen[str]) -> None:
        until("pyinfra is connected", connected, every=0.01)
        drop(stage.gpu1)

    with held(stage.gpu1):  # else it might be through by then
        stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(1, BROKE)
def dropped_in_a_read(stage: Stage) -> None:
    """SSH breaks while the host is read."""

    def go(_: Popen[str]) -> None:
        catch("the host is read", stage.reading)
        drop(stage.gpu1)

    with silent(stage.gpu1):
        stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(1, BROKE, again=False)
def dropped_in_a_pull(stage: Stage) -> None:
    """SSH breaks in a pull."""
    with upstream(stage.path, TRICKLE):

        def go(_: Popen[str]) -> None:
            catch("a blob is under way", lambda: pulling(stage))
            drop(stage.gpu1)

        stage.deploy(NEW, during=go)


@fault(1, BROKE)
def dropped_in_a_rotation(stage: Stage) -> None:
    """SSH breaks in a rotation."""

    def go(_: Popen[str]) -> None:
        catch("a rotation is under way", stage.gpu1.rotating)
        drop(stage.gpu1)

    with held(stage.gpu1):
        stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(1, BROKE, loses=True)
def dropped_in_the_warm_up(stage: Stage) -> None:
    """SSH breaks in the warm-up."""
    runners = " ".join(f"$({holds(stage.gpu1.weights(it))})" for it in ("general-primary", "backup"))

    def go(_: Popen[str]) -> None:
        catch("the warm-up runs", lambda: stage.gpu1.active("ollama-warmup") == "activating")
        drop(stage.gpu1)

    with held(stage.gpu1):  # or users would have them loaded again before it
        stage.gpu1.run(f"systemctl stop ollama-warmup; kill -9 {runners}")
        stage.deploy(during=go)


@fault(1, f"{BROKE}|does not answer", loses=True)
def rebooted(stage: Stage) -> None:
    """The host is rebooted in a rotation."""

    def go(_: Popen[str]) -> None:
        catch("a rotation is under way", stage.gpu1.rotating)
        hosts.reboot("gpu1")

    with held(stage.gpu1):
        stage.deploy(f"slot1_model={OTHER}", during=go)
    hot(stage.gpu1)


@fault(-signal.SIGKILL, "")
def deploy_killed(stage: Stage) -> None:
    """The deploy itself is killed in a rotation."""

    def go(deploy: Popen[str]) -> None:
        catch("a rotation is under way", stage.gpu1.rotating)
        deploy.kill()

    with held(stage.gpu1):
        stage.deploy(f"slot1_model={OTHER}", during=go)


@fault(0, "waiting for the rotation of slot coding-primary, begun at ")
def two_at_once(stage: Stage) -> None:
    """Two deploys at once."""
    with held(stage.gpu1) as let_go:
        first = stage.project.start("--limit", "gpu1", "--data", f"slot1_model={OTHER}")
        catch("a rotation is under way", stage.gpu1.rotating)

        def go(second: Running) -> None:
            second.until_said("waiting for the rotation")
            let_go()

        stage.deploy(f"slot1_model={OTHER}", during=go)
    done = first.ended(120)
    assert done.code == 0, done.output


@fault(0, "waiting for a test that sleeps")
def holder_killed(stage: Stage) -> None:
    """Who holds the lock of a host is killed."""
    with held(stage.gpu1, LOCK) as let_go:

        def go(deploy: Running) -> None:
            deploy.until_said("waiting for a test that sleeps")
            let_go()

        stage.deploy(during=go)

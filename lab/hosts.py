"""The lab's hosts: each with a systemd, an sshd, an Ollama, a simulated GPU and an address of its own."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from lab import access, disk, filesystem, network
from lab.access import SSH_CONFIG, ssh
from lab.machine import RUN, SOURCES, STATE, LabError, run

__all__ = [
    "SSH_CONFIG",
    "back_to",
    "cut",
    "keep",
    "reboot",
    "renew",
    "ssh",
    "start",
    "stop",
    "wait",
    "wanted",
]

VERSION = "curl -fsS --max-time 2 http://127.0.0.1:11434/api/version"
BOOTED_AT = "systemctl show --property UserspaceTimestampMonotonic"
BOOT_SECONDS = 60
STOP_SECONDS = 100  # what ignores its SIGTERM, as a runner may that is being loaded, systemd kills after 90 s
# Mounted as in host-boot.sh, for this machine may have them elsewhere; on a tmpfs, for where they are mounted
# already the kernel takes no other view of them, as a lab apart has one. They are busy until the dead are buried.
REMOVE_CGROUPS = """
set -e
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
until find /sys/fs/cgroup -depth -type d -path '/sys/fs/cgroup/slots-gpu*' -exec rmdir {} +; do sleep 0.05; done
"""


def wanted() -> list[str]:
    """The names of the hosts that LAB_HOSTS asks for (default 2): gpu1, gpu2, ..."""
    count = os.environ.get("LAB_HOSTS", "2")
    if not count.isdecimal() or not 1 <= int(count) <= 200:
        raise LabError(f"LAB_HOSTS is {count!r}: expected a number of hosts from 1 to 200")
    return [f"gpu{number}" for number in range(1, int(count) + 1)]


def healthy(name: str) -> bool:
    """Whether a host lets this checkout in and its Ollama answers."""
    return _answer(name, VERSION) != ""


def all_healthy(names: list[str]) -> bool:
    """Whether just these hosts are there and each of them is healthy."""
    if sorted(names) != network.hosts():
        return False
    with ThreadPoolExecutor(len(names)) as pool:
        return all(pool.map(healthy, names))


def create(names: list[str]) -> None:
    """Makes hosts with empty disks, and boots them all at once."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    network.create(names)
    access.create()
    for name in names:
        access.add(name, network.address(name), disk.create(name))
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(start, names))


def start(name: str) -> None:
    """Boots a host from its disk and waits until it is healthy. Raises LabError if it does not get there."""
    netns = network.namespace(name)
    written = [str(disk.path(name)), *filesystem.mounted(disk.path(name))]
    program = [str(SOURCES / "host-boot.sh"), name, netns, disk.layers(), *written]
    with (disk.path(name) / "console.log").open("a") as console:
        boot = subprocess.Popen(
            ["ip", "netns", "exec", netns, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *program],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,  # the host outlives this program
        )
    wait(name, boot)


def wait(name: str, boot: subprocess.Popen[bytes] | None = None) -> None:
    """Waits until a host is healthy. Raises LabError if that takes longer than 60 s.

    + boot: the process that boots it, if known: there is no waiting for a dead one.
    """
    deadline = time.monotonic() + BOOT_SECONDS
    while not healthy(name):
        if time.monotonic() > deadline or (boot and boot.poll() is not None):
            raise LabError(f"{name} does not come up: see {disk.path(name) / 'console.log'}")
        time.sleep(0.1)


def reboot(name: str) -> None:
    """Reboots a host from within and waits until it is healthy again. Raises LabError if it fails to."""
    before = _answer(name, BOOTED_AT)
    ssh(name, "systemctl reboot")
    deadline = time.monotonic() + STOP_SECONDS + BOOT_SECONDS
    while _answer(name, BOOTED_AT) in ("", before):
        if time.monotonic() > deadline:
            raise LabError(f"{name} does not reboot: see {disk.path(name) / 'console.log'}")
        time.sleep(0.1)
    wait(name)


def _answer(name: str, command: str) -> str:
    # What the command prints; nothing, if the host is not there or the command fails.
    try:
        done = ssh(name, command, timeout=5)
    except subprocess.TimeoutExpired:
        return ""
    return "" if done.returncode else done.stdout


def stop(name: str) -> None:
    """Takes a host's power away: every process of it is killed, and its disk stays as it is."""
    access.close(name)
    network.kill(name)


def renew(name: str, kind: str = "") -> None:
    """Boots a host from an empty disk. Its key is the old one.

    + kind: of the filesystem of its own that the disk is on from now on: xfs or ext4; else it is on this
      machine's, and its power cannot be cut
    """
    stop(name)
    disk.renew(name, kind)
    start(name)


def cut(name: str) -> None:
    """Cuts a host's power, and boots it from its disk as it was then: what was not synced may be lost."""
    keep(name, "cut")
    back_to(name, "cut")


def keep(name: str, copy: str) -> None:
    """Keeps a copy of a host's disk as it is at this moment, for `back_to`."""
    filesystem.keep(disk.path(name), copy)


def back_to(name: str, copy: str) -> None:
    """Boots a host from a copy of its disk; what the host is doing is cut off."""
    stop(name)
    filesystem.put_back(disk.path(name), copy)
    start(name)


def clear() -> None:
    """Takes all hosts away, whichever checkout made them and in whatever state they are."""
    for name in network.hosts():
        stop(name)
    network.delete()
    run("unshare", "--mount", "timeout", "10", "sh", "-c", REMOVE_CGROUPS)
    for leftover in STATE.glob("gpu*"):
        disk.remove(leftover.name)

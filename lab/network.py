"""The lab's network: a bridge with this machine on it, and per host a network namespace and a cable to it."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress

from lab.machine import LabError, run

BRIDGE = "slots0"
GATEWAY = "10.79.0.1"
# Before a host's name: its network namespace, its cgroup, and this machine's end of its cable.
PREFIX = "slots-"


def namespace(name: str) -> str:
    """The network namespace of a host."""
    return PREFIX + name


def address(name: str) -> str:
    """The IP address of a host: 10.79.0.11 for gpu1."""
    return f"10.79.0.{10 + int(name.removeprefix('gpu'))}"


def create(names: list[str]) -> None:
    """Makes the bridge, and the namespace and cable of each host."""
    _ip(f"link add {BRIDGE} type bridge")
    _ip(f"address add {GATEWAY}/24 dev {BRIDGE}")
    _ip(f"link set {BRIDGE} up")
    for name in names:
        netns = namespace(name)
        _ip(f"netns add {netns}")
        _ip(f"link add {netns} type veth peer name eth0 netns {netns}")
        _ip(f"link set {netns} master {BRIDGE} up")
        _ip(f"-n {netns} address add {address(name)}/24 dev eth0")
        _ip(f"-n {netns} link set lo up")
        _ip(f"-n {netns} link set eth0 up")
        _ip(f"-n {netns} route add default via {GATEWAY}")


def delete() -> None:
    """Takes the bridge, all cables and all namespaces away, half-made ones too; nothing may run in them.

    Raises LabError if it cannot.
    """
    deadline = time.monotonic() + 10
    while leftovers := _leftovers():
        if time.monotonic() > deadline:
            raise LabError(f"cannot be taken away: {', '.join(leftovers)}")
        for leftover in leftovers:
            # What an earlier command began to delete may go away by itself meanwhile.
            with suppress(LabError):
                _ip(leftover.replace(" ", " delete ", 1))


def _leftovers() -> list[str]:
    # Links first: a namespace takes its cable with it, but in its own time, and the name must be free at once.
    links = [name for _, name in socket.if_nameindex() if name.startswith(PREFIX) or name == BRIDGE]
    return [f"link {name}" for name in links] + [f"netns {namespace(name)}" for name in hosts()]


def hosts() -> list[str]:
    """The names of the hosts that have a namespace now, whichever checkout made it."""
    listed = [line.split()[0] for line in _ip("netns list").splitlines()]
    return sorted(netns.removeprefix(PREFIX) for netns in listed if netns.startswith(PREFIX))


def kill(name: str) -> None:
    """Kills every process in a host's namespace. Raises LabError if one lives on."""
    deadline = time.monotonic() + 10
    while pids := _ip(f"netns pids {namespace(name)}").split():
        if time.monotonic() > deadline:
            raise LabError(f"{name}: these processes cannot be killed: {' '.join(pids)}")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)


def _ip(arguments: str) -> str:
    return run("ip", *arguments.split())

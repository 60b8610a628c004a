"""The lab's hosts between two measurements, all at once: brought back to the start, counted, looked at."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from lab import network
from tests.lab.fleet import SLOTS, Host

Answer = TypeVar("Answer")
RESET = (Path(__file__).parent / "reset.sh").read_text(encoding="utf-8")
PULL = """
listed=$(curl -sS {api}/tags)
for base in {bases}; do
    case $listed in *"\\"$base\\""*) continue ;; esac
    wanted="{{\\"model\\":\\"$base\\",\\"insecure\\":true,\\"stream\\":false}}"
    curl -sS --fail-with-body -d "$wanted" {api}/pull || exit
done
"""


def up() -> list[str]:
    """The lab's hosts, in order of number."""
    return sorted(network.hosts(), key=lambda name: int(name.removeprefix("gpu")))


def each(names: list[str], what: Callable[[Host], Answer]) -> list[Answer]:
    """Does it on all the hosts at once."""
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(what, map(Host, names)))


def pull(names: list[str], bases: list[str]) -> None:
    """Has the bases on every host: what is measured is not the line to a registry."""
    command = PULL.format(api="http://127.0.0.1:11434/api", bases=" ".join(bases))
    with ThreadPoolExecutor(4) as pool:  # more would only wait for the disk
        list(pool.map(lambda name: Host(name).run(command, timeout=600), names))


def reset(names: list[str]) -> None:
    """Takes everything away that a deploy of either side leaves, but for the bases; Ollama runs, and is empty."""
    each(names, lambda host: host.run(RESET, timeout=300))


def sessions(names: list[str]) -> list[int]:
    """Commands and file transfers that each host's sshd has begun, by its log; reading it is one as well."""
    count = "journalctl --sync; journalctl -u ssh -o cat --no-pager | grep -c 'Starting session'"
    return each(names, lambda host: int(host.out(count)))


def look(names: list[str], slot1: str) -> None:
    """Raises AssertionError unless on every host slot 1 has this base, and all slots are in memory."""

    def check(host: Host) -> None:
        has = host.parent(SLOTS[0])
        assert has == slot1, f"{host.name}: slot 1 has {has}, not {slot1}"
        assert host.resident(*SLOTS), f"{host.name}: not every slot is in memory"

    each(names, check)

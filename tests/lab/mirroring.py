"""A mirror on this machine: filled by the project's command, and served as the project serves it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import network, registry
from tests.lab.fleet import ROOT, Host, Project, Run, listens, until

PORT = 5080
URL = f"http://{network.GATEWAY}:{PORT}"
UPSTREAM_LOG = registry.STATE / "registry-access.log"
# A host is not cut off from who deploys to it, nor from itself.
WAYS = ("ipproto tcp sport 22 lookup main", f"ipproto tcp dport {PORT} lookup main", "prohibit")


def mirror(project: Project, *arguments: str | Path) -> Run:
    """Runs the command."""
    command = [sys.executable, "-m", "ollama_slots.mirror", *map(str, arguments)]
    return project.run(command, timeout=300)


@contextmanager
def served(tree: Path, directive: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Serves a mirror at URL for the time of the ``with``.

    + directive: of nginx, as TRICKLE
    """
    configuration = ROOT / "mirror" / "nginx.conf"
    if directive:
        text = configuration.read_text().replace("root .;", f"root .; {directive}")
        configuration = tree / "slow.conf"
        configuration.write_text(text)
    # Tests keep their files where only root gets in.
    nginx = subprocess.Popen(["nginx", "-p", tree, "-c", configuration, "-g", "user root; daemon off;"])
    try:
        until("the mirror answers", lambda: listens(network.GATEWAY, PORT), 10)
        yield nginx
    finally:
        nginx.terminate()
        nginx.wait(10)


def sent(log: Path, after: int = 0, to_hosts: bool = False) -> dict[str, list[int]]:
    """What an access log has of blobs: the bytes of each answer, by digest.

    + after: so many lines
    + to_hosts: count only what hosts have asked for, not this machine
    """
    answers: dict[str, list[int]] = {}
    for line in log.read_text().splitlines()[after:]:
        found = re.search(r'"GET \S+/blobs/sha256:(\w+) HTTP/1.1" \d+ (\d+)', line)
        if found and not (to_hosts and line.startswith(f"{network.GATEWAY} ")):
            answers.setdefault(found[1], []).append(int(found[2]))
    return answers


def lines(log: Path) -> int:
    return len(log.read_text().splitlines())


@contextmanager
def cut_off(hosts: list[Host]) -> Iterator[None]:
    """Hosts that have no way but to the mirror, for the time of the ``with``."""
    try:
        for host in hosts:
            for number, way in enumerate(WAYS):
                rule(host, f"add pref {100 + number} {way}")
        yield
    finally:
        for host in hosts:
            for number in range(len(WAYS)):
                subprocess.run(_rule(host, f"delete pref {100 + number}"), capture_output=True, check=False)


def rule(host: Host, words: str) -> None:
    """Changes by which rules a host finds its ways."""
    subprocess.run(_rule(host, words), check=True, capture_output=True)


def _rule(host: Host, words: str) -> list[str]:
    return ["ip", "-n", network.namespace(host.name), "rule", *words.split()]


def as_new(host: Host) -> None:
    """Takes away all that a deploy has brought, and every model."""
    units = "/etc/systemd/system/ollama-warmup.service /etc/systemd/system/ollama.service.d"
    host.run(
        "systemctl stop ollama-warmup ollama; "
        f"rm -rf /usr/share/ollama/.ollama/models /var/lib/ollama-slots /etc/ollama {units}; "
        "systemctl daemon-reload; systemctl start ollama"
    )

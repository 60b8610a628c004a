"""The lab's registry once more, at another port: as slow as a line far away, and it can fall silent."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import registry
from tests.lab.fleet import REGISTRY, Host, Project
from tests.lab.upstream import TRICKLE, UPSTREAM, upstream

BLOBS = "/usr/share/ollama/.ollama/models/blobs"
RECORDS = "/var/lib/ollama-slots/unfinished"
NAME = "smollm2-slow:135m"
SLOW, FAST = f"{UPSTREAM}/{NAME}", f"{REGISTRY}/{NAME}"
PARTIAL = f"{BLOBS}/sha256-{registry.weights(NAME).name.removeprefix('sha256:')}-partial"


class SlowRegistry:
    """The registry's process, and what it says of its work."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def sent(self) -> int:
        """Bytes of blobs that it has sent to the hosts, in requests that have ended."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return sum(int(size) for address, uri, size in lines if address != "10.79.0.1" and "/blobs/" in uri)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """For the time of the ``with`` it takes connections, and sends nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def slow_registry(directory: Path, directive: str = TRICKLE) -> Iterator[SlowRegistry]:
    """Serves so slowly that a pull can be met.

    + directory: for its files
    + directive: of nginx
    """
    with upstream(directory, directive) as process:
        yield SlowRegistry(process, directory / "access.log")


def pulled(host: Host) -> int:
    """Bytes of the weights that a pull which is not finished has brought."""
    return int(host.out(f"find {PARTIAL} -printf '%b\\n' 2>/dev/null || true") or 0) * 512


def nothing_goes_on(host: Host) -> bool:
    """Whether no request of a pull is left on a host, and the engine pulls nothing."""
    engine = "/proc/$(systemctl show -p MainPID --value ollama)/fd"
    return host.out(f"pgrep -fx 'curl .*/api/pull'; find {engine} -lname '*-partial'") == ""


def forget(project: Project, host: Host) -> None:
    """Takes the model away that is pulled from here, all that is made of it, and all that a pull of it left."""
    made = "cat /var/lib/ollama-slots/experimental.slot /var/lib/ollama-slots/previous/experimental.slot"
    if NAME in host.out(f"{made} 2>/dev/null || true"):
        run = project.deploy("slot4_model=none", tasks="tasks/models.py", options=("-y", "--limit", host.name))
        assert run.code == 0, run.output
    host.run(f"for it in {SLOW} {FAST}; do ollama rm $it; done 2>/dev/null; rm -rf {PARTIAL}* {RECORDS}")

"""Users of slots: each asks for one token, again and again, through a tunnel."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.lab.fleet import SSH_CONFIG, Host, listens, until


@dataclass
class Record:
    """What the requests of a user came to: seconds of each, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """The figures, on one line."""
        return (
            f"{len(self.seconds)} requests, {len(self.failures)} failed, median "
            f"{statistics.median(self.seconds) * 1000:.0f} ms, longest {max(self.seconds) * 1000:.0f} ms"
        )


def assert_none_failed(*records: Record) -> None:
    """No request failed."""
    failures = [failure for record in records for failure in record.failures]
    assert not failures, failures


@contextmanager
def tunnel(host: Host) -> Iterator[str]:
    """Ollama's API on a host as a URL on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Again and again: the host may be rebooted meanwhile.
    forward = f"-L 127.0.0.1:{port}:127.0.0.1:11434 -o ServerAliveInterval=1 -o ServerAliveCountMax=2"
    command = f"while :; do ssh -F '{SSH_CONFIG}' -S none -N {forward} {host.name}; sleep 0.2; done"
    process = subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until("the tunnel is open", lambda: listens("127.0.0.1", port))
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


@contextmanager
def asking(host: Host, *models: str, pause: float = 0, patience: float = 60) -> Iterator[list[Record]]:
    """Asks each of the models again and again for the time of the ``with``, in parallel; a record of each.

    + pause: seconds between an answer and the next request
    + patience: seconds after which an answer does not come
    """
    records, stop = [Record() for _ in models], threading.Event()

    def ask(url: str, model: str, record: Record) -> None:
        request = {"model": model, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
        with requests.Session() as session:
            while not stop.is_set():
                start = time.monotonic()
                try:
                    answer = session.post(f"{url}/api/generate", json=request, timeout=patience)
                    if answer.status_code != 200 or not answer.json().get("done"):
                        record.failures.append(f"{answer.status_code} {answer.text[:200]}")
                except (requests.RequestException, ValueError) as error:
                    record.failures.append(str(error)[:200])
                record.seconds.append(time.monotonic() - start)
                stop.wait(pause)

    with tunnel(host) as url:
        threads = [
            threading.Thread(target=ask, args=(url, *it), daemon=True) for it in zip(models, records, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            until("the first answers", lambda: all(record.seconds for record in records))
            yield records
        finally:
            stop.set()
            for thread in threads:
                thread.join(patience + 30)

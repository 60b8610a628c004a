"""The lab's registry once more, at another port, as bad as a test wants it: nginx with directives of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import registry
from tests.lab.fleet import REGISTRY, ROOT, listens, until

UPSTREAM = REGISTRY.replace(":5000", ":5001")
# What is done in mid-blob comes in time: enough to be seen is there at once, and the rest takes minutes.
TRICKLE = "limit_rate_after 8m; limit_rate 1m;"


@contextmanager
def upstream(path: Path, directive: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serves the lab's models at UPSTREAM for the time of the ``with``; logs who was sent what, and its bytes.

    + path: a directory for its configuration and its ``access.log``
    + directive: of nginx, for the whole server, as TRICKLE
    """
    text = (ROOT / "lab" / "nginx.conf").read_text()
    text = text.replace(":5000", ":5001").replace("/run/ollama-slots/registry.pid", f"{path}/pid")
    text = text.replace("default_type application/octet-stream;", directive, 1)
    log = f"log_format sent '$remote_addr $uri $bytes_sent'; access_log {path}/access.log sent;"
    text = text.replace("access_log registry-access.log;", log)
    (path / "nginx.conf").write_text(text)
    nginx = subprocess.Popen(
        ["nginx", "-p", str(registry.TREE.parent), "-c", f"{path}/nginx.conf", "-g", "daemon off;"]
    )
    try:
        until("the registry answers", lambda: listens("10.79.0.1", 5001))
        yield nginx
    finally:
        nginx.kill()
        nginx.wait(10)

"""The registry that the hosts pull from: nginx before a tree of plain files, on the lab's bridge only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.machine import RUN, SOURCES, STATE, LabError, run
from lab.models import NAMESPACE, models

ADDRESS = "10.79.0.1:5000"
TREE = STATE / "registry"
PID_FILE = RUN / "registry.pid"


def fill() -> None:
    """Makes the tree anew: whatever a test did to it is undone."""
    shutil.rmtree(TREE, ignore_errors=True)
    shutil.copytree(models(), TREE, copy_function=_link)


def _link(source: str, target: str) -> None:
    # The cache is every checkout's: what a test may want to write to is a copy, only the weights are links.
    if os.path.getsize(source) > 1_000_000:
        os.symlink(source, target)
    else:
        shutil.copyfile(source, target)


def start() -> None:
    """Starts nginx; it listens when this returns. Raises LabError if it cannot."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    run("nginx", "-p", STATE, "-c", SOURCES / "nginx.conf")
    if not running():
        raise LabError(f"the registry does not answer at {ADDRESS}: see {STATE / 'registry-error.log'}")


def stop() -> None:
    """Stops nginx, also one that another checkout started. Raises LabError if it lives on."""
    pid = _pid()
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _pid() == pid:
        if time.monotonic() > deadline:
            raise LabError(f"the registry, process {pid}, cannot be killed")
        time.sleep(0.02)
    PID_FILE.unlink(missing_ok=True)


def running() -> bool:
    """Whether the registry answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{ADDRESS}/v2/{NAMESPACE}/smollm2/manifests/latest", timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return True  # a test may have taken that manifest away
    except OSError:
        return False


def manifest(model: str) -> Path:
    """The file of a model's manifest in the tree; model is as in `smollm2:135m`."""
    name, tag = model.split(":")
    return TREE / "v2" / NAMESPACE / name / "manifests" / tag


def weights(model: str) -> Path:
    """The file of a model's weights in the tree: a link into the cache, to be replaced but not written to."""
    layers = json.loads(manifest(model).read_text())["layers"]
    (digest,) = (layer["digest"] for layer in layers if layer["mediaType"].endswith(".model"))
    return manifest(model).parent.parent / "blobs" / str(digest)


@contextmanager
def damaged(model: str) -> Iterator[None]:
    """Serves a model's weights with one byte flipped, for the time of the `with`."""
    blob = weights(model)
    good = os.readlink(blob)
    content = bytearray(Path(good).read_bytes())
    content[len(content) // 2] ^= 0xFF
    blob.unlink()
    blob.write_bytes(content)
    try:
        yield
    finally:
        blob.unlink()
        blob.symlink_to(good)


def _pid() -> int | None:
    """The process of the running nginx, or None. The pid file may be a dead one's, its number another's."""
    try:
        pid = int(PID_FILE.read_text())
        status = Path(f"/proc/{pid}/status").read_text()
    except (OSError, ValueError):
        return None
    return pid if "Name:\tnginx" in status and "State:\tZ" not in status else None

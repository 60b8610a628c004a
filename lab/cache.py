"""The cache of what the lab is made of: an artifact is made once on a machine, for all checkouts."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

from lab.machine import CACHE, SOURCES, run


def artifact(name: str, make: Callable[[Path, Path], None]) -> Path:
    """The directory NAME of the cache, made first if it is not there. It is there whole or not at all.

    + name: says everything that the content depends on.
    + make: gets a scratch directory, and in it the directory to fill.
    """
    for wreck in CACHE.glob(f".{name}.*"):
        shutil.rmtree(wreck, ignore_errors=True)
    done = CACHE / name
    if done.exists():
        return done
    CACHE.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=CACHE))
    result = scratch / "result"
    result.mkdir()
    make(scratch, result)
    result.rename(done)
    shutil.rmtree(scratch, ignore_errors=True)
    return done


def digest_of(*parts: Path | str) -> str:
    """A short digest of files and strings, to name an artifact by its recipe."""
    contents = (part.read_bytes() if isinstance(part, Path) else part.encode() for part in parts)
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]


def download(scratch: Path, *projects: str) -> None:
    """Downloads these PyPI projects, as requirements.txt pins them, to a scratch directory.

    The directory's venv/bin/python has pip, for more.
    """
    venv.create(scratch / "venv", with_pip=True)
    pins = (SOURCES / "requirements.txt").read_text().splitlines()
    wanted = scratch / "requirements.txt"
    wanted.write_text("\n".join(pin for pin in pins if pin.partition("==")[0] in projects))
    pip = [
        str(scratch / "venv/bin/python"),
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
    ]
    run(*pip, "-r", wanted, "-d", scratch, timeout=1200)

"""Download a blob by HTTP: resumed, with progress, and accepted only if its digest is right."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import requests

from ollama_slots.registry.client import SECONDS

LOOK_SECONDS = 2
MB = 10**6
CHUNK = 1 << 16  # bytes: what is lost of an answer that breaks off


def download(url: str, file: Path, digest: str, size: int, model: str) -> int:
    """Download what is missing of a blob, in as many requests as it takes; return the bytes received.

    + url: of the blob
    + file: what is there of it, and then all of it
    + digest: as in ``sha256:...``
    + size: in bytes
    + model: whose name stands before its progress

    Raises ValueError where what came is not what the digest says, and nothing is left of it then; and
    requests.RequestException or OSError, where the next run goes on.
    """
    file.touch()
    had = file.stat().st_size
    if 0 < had < size:
        print(f"{model}: resuming at {had // MB} MB", flush=True)
    came = _bring(url, file, size, model)
    if had and not is_right(file, digest):
        # What was there may be of a registry that was repaired since.
        file.write_bytes(b"")
        came += _bring(url, file, size, model)
    if not is_right(file, digest) or file.stat().st_size != size:
        file.unlink()
        raise ValueError(f"blob {digest} is damaged in its registry, so it was rejected")
    return came


def is_right(file: Path, digest: str) -> bool:
    """Return whether a file is what its digest says."""
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}" == digest


def _bring(url: str, file: Path, size: int, model: str) -> int:
    """Resume until the blob is complete or the registry has no more; raise if a request brings nothing."""
    came = 0
    while (had := file.stat().st_size) < size:
        try:
            came += _request(url, file, had, size, model)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            now = file.stat().st_size
            if now <= had:
                raise
            came += now - had
        else:
            break
    return came


def _request(url: str, file: Path, had: int, size: int, model: str) -> int:
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={had}-"} if had else {})}
    with requests.get(url, headers=headers, timeout=SECONDS, stream=True) as answer:
        if answer.status_code == 416:
            return 0  # it has less of it than is here
        answer.raise_for_status()
        goes_on = answer.status_code == 206
        with file.open("ab" if goes_on else "wb") as content:
            before, looked = content.tell(), time.monotonic()
            begun = before
            for chunk in answer.iter_content(CHUNK):
                content.write(chunk)
                now, at = time.monotonic(), content.tell()
                if now - looked >= LOOK_SECONDS:
                    _show(at, size, (at - before) / (now - looked), model)
                    before, looked = at, now
            return content.tell() - begun


def _show(at: int, size: int, speed: float, model: str) -> None:
    """Print the progress, in the words of host/pulling.sh."""
    left = max(0, size - at) / speed
    print(f"{model}: {at // MB} of {size // MB} MB, {speed / MB:.0f} MB/s, {left:.0f} s left", flush=True)

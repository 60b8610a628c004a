"""host/store.sh on a directory that is a store."""

import hashlib
import subprocess
from pathlib import Path

from ollama_slots.host import scripts


def test_small_blobs_that_are_not_what_their_names_say_go_and_nothing_else(tmp_path: Path) -> None:
    blobs = tmp_path / "a store" / "blobs"
    blobs.mkdir(parents=True)
    whole, empty, zeros = (hashlib.sha256(text).hexdigest() for text in (b"whole", b"empty", b"zeros"))
    large = hashlib.sha256(b"large").hexdigest()
    stays = {f"sha256-{whole}": b"whole", f"sha256-{empty}-partial": b"", "sha256-123": b"", "other": b""}
    stays |= {f"sha256-{large}": b"\0" * 300_000, f"sha256-{empty}-partial-0": b""}
    for name, content in (stays | {f"sha256-{empty}": b"", f"sha256-{zeros}": b"\0" * 5}).items():
        (blobs / name).write_bytes(content)
    script = f"{scripts.libraries('store')}\nstore='{blobs.parent}'\nsweep"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == done.stderr == ""
    assert {it.name for it in blobs.iterdir()} == stays.keys()

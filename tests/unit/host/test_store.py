"""host/store.sh on a directory that is a store."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("awk", ["awk", "mawk", "gawk", "busybox awk"])
@pytest.mark.parametrize(
    ("line", "free"),
    [
        ("/dev/sda1 1000 200 800 20% /", "800"),
        ("//nas/ollama models   1000   200   800   20% /mnt/my models", "800"),
        ("//nas/2 of 7 models 1000 200 800 20% /mnt/1 2 3 50% x", "800"),
        ("overlay 1000 200 800 - /", "800"),
        ("a b 1000 1200 -200 120% /", "-200"),
        ("unknown - - - - /", ""),
    ],
)
def test_what_is_free_is_told_whatever_is_mounted(line: str, free: str, awk: str) -> None:
    if shutil.which(awk.split(maxsplit=1)[0]) is None:
        pytest.skip(f"{awk} is not there")
    double = "" if awk == "awk" else f'awk() {{ {awk} "$@"; }}'
    df = f"df() {{ printf 'Filesystem\\n%s\\n' '{line}'; }}"
    script = f"{scripts.libraries('store')}\n{double}\n{df}\nfree_at /"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    assert (done.stdout.strip(), done.stderr) == (free, "")


def test_no_script_reads_df_in_another_way() -> None:
    """A filesystem's name may have blanks, as that of a share may."""
    assert [it.name for it in scripts.HERE.glob("*.sh") if "df -" in it.read_text()] == ["store.sh"]

"""A filesystem of its own for a host's disk, so that the host can lose its power.

What a program wrote and nobody synced is in memory alone, until the filesystem writes it down. So the disk is a
file, and a copy of that file at a moment is the disk as the power failed then. The copy is no work, whatever the
size: the file is on another filesystem, an XFS that lets files share their blocks until one is written to.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.machine import LabError, run

# How each kind of filesystem is made, and mounted: the disk that it was copied from may still be in use.
MAKE = {"xfs": ("mkfs.xfs", "-q"), "ext4": ("mkfs.ext4", "-q")}
MOUNT = {"xfs": "loop,nouuid", "ext4": "loop"}
# Bytes; of both files only what is written takes room.
SIZE = 16 * 2**30
SIZE_AROUND = 4 * SIZE
# Run where nobody else sees the mount. Arguments: OPTIONS IMAGE DISK, and directories in DISK
FILL = (
    'options=$1 image=$2; cd "$3"; mkdir own; mount -o "$options" "$image" own; shift 3; mv "$@" own/; umount own'
)


def make(disk: Path, kind: str, *directories: str) -> None:
    """Moves directories of a host's disk to a filesystem of its own; in host-boot.sh it is mounted at `own`.

    + kind: xfs or ext4
    """
    if kind not in MAKE:
        raise LabError(f"the filesystem of {disk.name} is {kind!r}: expected {' or '.join(MAKE)}")
    around = disk / "around.xfs"
    os.truncate(_new(around), SIZE_AROUND)
    run(*MAKE["xfs"], "-m", "reflink=1", around)
    (disk / "images").mkdir()
    run("mount", "-o", "loop,discard", around, disk / "images")
    image = disk / "images" / f"now.{kind}"
    os.truncate(_new(image), SIZE)
    run(*MAKE[kind], image)
    run("unshare", "--mount", "sh", "-euc", FILL, "sh", MOUNT[kind], image, disk, *directories)


def remove(disk: Path) -> None:
    """Takes away what `make` made, if it did; the host must be down."""
    if os.path.ismount(disk / "images"):
        run("umount", disk / "images")
    (disk / "around.xfs").unlink(missing_ok=True)
    shutil.rmtree(disk / "images", ignore_errors=True)


def mounted(disk: Path) -> tuple[str, str]:
    """How host-boot.sh is to mount a host's own filesystem: options and file; both empty, where it has none."""
    for image in (disk / "images").glob("now.*"):
        return MOUNT[image.suffix[1:]], str(image)
    return "", ""


def keep(disk: Path, copy: str) -> None:
    """Copies the disk as it is at this moment: without what is not written yet, if the host is up.

    + copy: a name for it; what was kept by that name before is no more
    """
    now = Path(mounted(disk)[1])
    run("cp", "--reflink=always", now, now.with_stem(copy), timeout=600)


def put_back(disk: Path, copy: str) -> None:
    """Makes a copy of the disk the host's disk; the host must be down. The copy is kept."""
    now = Path(mounted(disk)[1])
    # A new file: the one that the host had may be written to yet.
    run("cp", "--reflink=always", now.with_stem(copy), now.with_stem("next"), timeout=600)
    now.with_stem("next").rename(now)


def _new(file: Path) -> Path:
    file.touch(exist_ok=False)
    return file

"""The Debian that the hosts are made of."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lab.cache import artifact, digest_of
from lab.machine import SOURCES, LabError, run_long

PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,sudo,curl,ca-certificates,iproute2,procps,libgomp1"
if os.environ.get("LAB_PACKAGES"):  # what a benchmark's other side needs on a host: ours needs none of it
    PACKAGES += f",{os.environ['LAB_PACKAGES']}"


def debian_root() -> Path:
    """The system that every host starts from: of this machine's release, so that what it compiles runs."""
    release = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    if not release:
        raise LabError("/etc/os-release has no VERSION_CODENAME: expected a released Debian or Ubuntu")
    hook = SOURCES / "debian-root.sh"

    def make(_: Path, result: Path) -> None:
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", f"--customize-hook={hook}"]
        run_long("make the Debian root", *command, release[1], result, timeout=1800)

    return artifact(f"root-{release[1]}-{digest_of(PACKAGES, hook, SOURCES / 'ollama.service')}", make)

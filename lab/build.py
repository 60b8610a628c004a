"""The Debian that the hosts are made of."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lab.cache import artifact, digest_of
from lab.machine import SOURCES, LabError, run_long

PACKAGES = (
    "systemd,systemd-sysv,dbus,openssh-server,sudo,curl,ca-certificates,iproute2,procps,libgomp1,"
    "prometheus-node-exporter"
)
if os.environ.get("LAB_PACKAGES"):  # what a benchmark's other side needs on a host: ours needs none of it
    PACKAGES += f",{os.environ['LAB_PACKAGES']}"


def release() -> str:
    """The release that LAB_RELEASE names, such as trixie; by default this machine's: what it compiles runs there.

    A later one runs that as well, an earlier one may not. Raises LabError for what cannot be a release's name.
    """
    named = os.environ.get("LAB_RELEASE", "")
    if named and not re.fullmatch(r"[a-z]+", named):
        raise LabError(
            f"LAB_RELEASE is {named!r}: expected the code name of a release, such as bookworm or trixie"
        )
    own = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    if not named and not own:
        raise LabError("/etc/os-release has no VERSION_CODENAME: expected a released Debian or Ubuntu")
    return named or (own[1] if own else "")


def debian_root() -> Path:
    """The system that every host starts from."""
    suite = release()
    hook = SOURCES / "debian-root.sh"

    def make(_: Path, result: Path) -> None:
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", f"--customize-hook={hook}"]
        run_long(f"make the Debian root of {suite}", *command, suite, result, timeout=1800)

    return artifact(f"root-{suite}-{digest_of(PACKAGES, hook, SOURCES / 'ollama.service')}", make)

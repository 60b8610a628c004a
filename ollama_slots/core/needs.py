"""List what the scripts of host/ need, and report what a host lacks."""

from __future__ import annotations

# Beside sh and coreutils: each tool, with its package of Debian and of Red Hat.
TOOLS = {
    "awk": ("mawk", "gawk"),
    "curl": ("curl", "curl"),
    "find": ("findutils", "findutils"),
    "flock": ("util-linux", "util-linux"),
    "grep": ("grep", "grep"),
    "sed": ("sed", "sed"),
    "systemctl": ("systemd", "systemd"),
    "systemd-run": ("systemd", "systemd"),
    "xargs": ("findutils", "findutils"),
}


def lacking(lines: list[str]) -> str | None:
    """Return what a host lacks and what to do, on one line, or None.

    + lines: ``root USER``, ``systemd`` or a tool, each that is missing
    """
    users = [line.partition(" ")[2] for line in lines if line.startswith("root ")]
    tools = [line for line in lines if line in TOOLS]
    told = [f"needs root on the host, found user {ascii(user)[1:-1][:60]}: set _sudo = True" for user in users]
    if tools:
        debian, redhat = (" ".join(sorted({TOOLS[it][which] for it in tools})) for which in (0, 1))
        told.append(
            f"needs {' and '.join(tools)} on the host, found none: install {debian} (Debian), {redhat} (Red Hat)"
        )
    if "systemd" in lines:
        told.append(
            "needs a host that systemd has booted, found another init: "
            "Ollama's unit and the warm-up are systemd units"
        )
    return "; ".join(told) or None

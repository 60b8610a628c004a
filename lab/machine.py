"""This machine: where the lab keeps things, how a step is run and reported, which tools must be here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
STATE = SOURCES.parent / ".lab"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ollama-slots"
# What any checkout must find when it clears up: the sockets of ssh masters, the registry's pid.
RUN = Path("/run/ollama-slots")

# The Debian package of each tool; the compilers are asked for only where something has to be compiled.
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nginx": "nginx",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "mkfs.xfs": "xfsprogs",
    "prometheus": "prometheus",  # and promtool
}
COMPILERS = {"gcc": "gcc", "g++": "g++"}
BUILDERS = {"cmake": "cmake", "ninja": "ninja-build", "strip": "binutils"}


class LabError(Exception):
    """What went wrong, in one line for a person."""


def say(text: str) -> None:
    """One line of progress on stderr."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Reports a finished step with its seconds."""
    start = time.monotonic()
    yield
    say(f"{title} ({time.monotonic() - start:.1f} s)")


def run(*command: str | Path, timeout: float = 60) -> str:
    """Runs a command and gives its stdout.

    + timeout: in seconds.

    Raises LabError if it fails or takes longer.
    """
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(map(str, command))}: took longer than {timeout:g} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise LabError(f"{' '.join(map(str, command))}: exit {done.returncode}: {said[-1]}")
    return done.stdout


def run_long(
    title: str, *command: str | Path, env: Mapping[str, str] | None = None, timeout: float = 3600
) -> None:
    """Runs a command that takes minutes: what it says goes to a log in .lab, a line now and then to stderr.

    + title: what it does; names the log too.
    + env: additions to the environment.
    + timeout: in seconds.

    Raises LabError if it fails or takes longer.
    """
    log = STATE / f"{title.replace(' ', '-')}.log"
    line, shown = "", time.monotonic()
    with (
        step(title),
        log.open("a") as out,
        subprocess.Popen(
            command,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        limit = threading.Timer(timeout, process.kill)
        limit.start()
        assert process.stdout
        for line in process.stdout:
            out.write(line)
            if time.monotonic() - shown > 20:
                say(f"{title}: {line.strip()[:100]}")
                shown = time.monotonic()
        limit.cancel()
        if process.wait():
            raise LabError(f"{title}: exit {process.returncode}: {line.strip()} (all of it in {log})")


def need(tools: Mapping[str, str]) -> None:
    """Installs the Debian packages of the tools that this machine lacks."""
    packages = [package for tool, package in tools.items() if not shutil.which(tool)]
    if not packages:
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run_long("update the package lists", "apt-get", "update", env=quiet, timeout=600)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    run_long(f"install {' '.join(packages)}", *install, env=quiet, timeout=1200)
    # Debian starts what it installs; the lab only wants the programs.
    for service in sorted({"nginx", "prometheus"} & {*packages}):
        disable = ["systemctl", "disable", "--now", service]
        subprocess.run(disable, check=False, capture_output=True, timeout=60)

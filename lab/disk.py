"""A host's disk: the layers that all hosts share, and what is on each host's own."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from lab import access, engine, filesystem
from lab.build import debian_root
from lab.machine import SOURCES, STATE, run

# The size of a host's simulated GPU in MiB; tests may change it on the host, in /etc/simulated-gpu, and have more
# cards than one: simulated-gpu/cards says how.
GPU_MEMORY = {"gpu2": 12288}
GPU_MEMORY_DEFAULT = 24576
# The programs of the simulated GPUs, and where a host has them.
SIMULATED = {
    "cards": "opt/simulated-gpu",
    "llama-server": "usr/local/lib/ollama",
    "nvidia-smi": "usr/local/bin",
}


def layers() -> str:
    """The read-only layers below every host's disk, uppermost first."""
    return ":".join(map(str, [*engine.layers(), debian_root()]))


def path(name: str) -> Path:
    """The directory of a host's disk: what the host has written is in `changes`."""
    return STATE / name


def create(name: str) -> Path:
    """Makes an empty disk for a host, with a name, an id and a host key of its own; and a simulated GPU, where the
    engine can have one.

    Gives the file of the host's public key.
    """
    remove(name)
    first = path(name) / "first"
    etc = first / "etc"
    (etc / "ssh").mkdir(parents=True)
    (etc / "ssh/sshd_config.d").mkdir()
    # One key for every user. And each command is logged, so that the tests can count them from outside.
    (etc / "ssh/sshd_config.d/lab.conf").write_text(
        "AuthorizedKeysFile /etc/ssh/authorized_keys\nLogLevel VERBOSE\n"
    )
    (etc / "hostname").write_text(f"{name}\n")
    # Without it every load of a model waits 10 s for an answer to "localhost".
    (etc / "hosts").write_text(f"127.0.0.1 localhost {name}\n")
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    if engine.simulates_gpu():
        (etc / "simulated-gpu").write_text(f"{GPU_MEMORY.get(name, GPU_MEMORY_DEFAULT)}\n")
        for program, place in SIMULATED.items():
            (first / place).mkdir(parents=True)
            shutil.copy(SOURCES / "simulated-gpu" / program, first / place)
        # Where a runner's card is written down, whoever Ollama runs as.
        (etc / "tmpfiles.d").mkdir()
        (etc / "tmpfiles.d/simulated-gpu.conf").write_text("d /run/simulated-gpu 0777\n")

    shutil.copyfile(access.KEY.with_suffix(".pub"), etc / "ssh/authorized_keys")
    host_key = etc / "ssh/ssh_host_ed25519_key"
    access.generate_key(host_key)
    renew(name)
    return host_key.with_suffix(".pub")


def renew(name: str, kind: str = "") -> None:
    """Has a host's disk be as `create` made it; the host must be down.

    + kind: of the filesystem of its own that it is on: xfs or ext4; else it is on this machine's
    """
    filesystem.remove(path(name))
    for leftover in ("changes", "work", "root", "own"):
        shutil.rmtree(path(name) / leftover, ignore_errors=True)
    for directory in ("work", "root"):
        (path(name) / directory).mkdir()
    run("cp", "--archive", path(name) / "first", path(name) / "changes")
    if kind:
        filesystem.make(path(name), kind, "changes", "work")


def remove(name: str) -> None:
    """Takes a host's disk away; the host must be down."""
    filesystem.remove(path(name))
    shutil.rmtree(path(name), ignore_errors=True)

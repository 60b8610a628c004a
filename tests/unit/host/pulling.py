"""A directory that is a host's, on which host/pull.sh runs as it does there, against an engine of a few lines."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ollama_slots.core import units
from ollama_slots.core.stored import Stored
from ollama_slots.host import scripts
from ollama_slots.host.stored import parse_stored

MODEL = "hub:5000/me/x.y:7b"
A, B = "a" * 64, "b" * 64
SUCCESS = """echo '{"status":"success"}'"""
FULL = f"""echo '{{"error":"write /m/blobs/sha256-{A}-partial-0: no space left on device"}}'"""
BROKEN = """echo 'curl: (52) Empty reply from server'"""


def said(digest: str = A, **more: int) -> str:
    """A command by which the engine says how far it is; as it does, without ``completed`` where that is 0."""
    line = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": 98_000_000, **more}
    return f"echo '{json.dumps(line, separators=(',', ':'))}'"


def part(size: int, blob: str = A, number: int = 0) -> str:
    return f"""echo '{{"N":{number},"Offset":0,"Size":{size},"Completed":0}}' >sha256-{blob}-partial-{number}"""


def partial(size: int = 98_000_000, blob: str = A) -> str:
    """A command by which the engine makes a partial file of so many bytes, with one part."""
    return f"truncate -s {size} sha256-{blob}-partial; {part(size, blob)}"


# Each wait of a script: it stands, bounded, while it has to, and is counted when it is over.
SLEEP = """
i=0
while [ -e ../stands ] && [ $((i += 1)) -lt 2000 ]; do /bin/sleep 0.01; done
/bin/sleep 0.02
echo >>../slept
"""
GO_ON = "rm ../stands"  # a command by which the engine has the clock go on


def looked(times: int) -> str:
    """A command by which the engine waits, bounded, until the script has looked so many times at what it said."""
    return f"""
        touch ../slept
        end=$(($(wc -l <../slept) + 1 + {times})) i=0
        until [ "$(wc -l <../slept)" -ge "$end" ] || [ $((i += 1)) -gt 2000 ]; do /bin/sleep 0.01; done
    """


ENGINE = "4711"  # its process


class Host:
    """A directory that is a host's. Its clock is fast: where the script waits for seconds, it waits for 20 ms.

    So that no test depends on which of the two is faster, it stands while there is a file ``stands``.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.blobs = path, path / "store" / "blobs"
        self.bases, self.records = (
            Path(scripts.path("bases", f"{path}")),
            Path(scripts.path("unfinished", f"{path}")),
        )
        self.process = path / "proc" / ENGINE
        for directory in (
            self.blobs,
            path / "store/manifests/hub",
            path / "bin",
            path / "run",
            self.process / "fd",
        ):
            directory.mkdir(parents=True)
        (self.process / "environ").write_text(f"OLLAMA_MODELS={path}/store\0")
        self.program("sleep", SLEEP)
        self.program("systemctl", f"echo {ENGINE}")

    def program(self, name: str, text: str) -> None:
        (self.path / "bin" / name).write_text(f"#!/bin/sh\ncd {self.blobs} || exit\n{text}\n")
        (self.path / "bin" / name).chmod(0o755)

    def has(self, *commands: str) -> None:
        """What is on it by then."""
        subprocess.run(["sh", "-ec", "\n".join(commands)], cwd=self.blobs, check=True)

    def start(self, *answer: str, stall: int = 600) -> subprocess.Popen[str]:
        """A pull, for which the engine runs these commands."""
        self.program("curl", "\n".join(answer))
        bounds: dict[str, str | int] = {"stall_seconds": stall, "total_seconds": 600, "lock_seconds": 1}
        what = {"url": "http://engine", "model": MODEL, "for_slots": "one", "insecure": "true"}
        return self.run("pull", **what, **bounds, record_base="no", damaged="")

    @contextmanager
    def holding(self, path: Path) -> Iterator[None]:
        """For the time of the ``with`` the engine's process has a file open."""
        link = self.process / "fd" / "9"
        link.symlink_to(path)
        yield
        link.unlink()

    def run(self, script: str, **arguments: str | int) -> subprocess.Popen[str]:
        """A script of host/ that has begun."""
        return subprocess.Popen(
            ["sh", "-c", scripts.text(script, root=f"{self.path}", unit=units.DEFAULT, **arguments), script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environ,
        )

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.path}/bin:{os.environ['PATH']}"}

    def pull(self, *answer: str, stall: int = 600) -> tuple[int, list[str]]:
        """Its exit code, and the lines that it shows."""
        process = self.start(*answer, stall=stall)
        shown, _ = process.communicate(timeout=20)
        return process.returncode, shown.splitlines()

    def stored(self) -> Stored:
        """What host/stored.sh says of it."""
        shown, _ = self.run("stored").communicate(timeout=20)
        return parse_stored(shown.splitlines())

    def call(self, command: str) -> int:
        """The exit code of a command of the functions that the scripts of host/ share."""
        text = scripts.libraries("pulling", root=f"{self.path}") + command
        return subprocess.run(["sh", "-c", text], env=self.environ, check=False).returncode

    @property
    def files(self) -> set[str]:
        return {it.name for it in self.blobs.iterdir()}

    @property
    def record(self) -> dict[str, str]:
        return {it.name: it.read_text().strip() for it in self.records.iterdir()} if self.records.exists() else {}

    def left(self, file: str = f"sha256-{A}-partial") -> str:
        """The record of a blob as its pull left it."""
        done = subprocess.run(
            ["find", self.blobs / file, "-printf", "%T@"], capture_output=True, text=True, check=True
        )
        return f"{MODEL} {done.stdout}"

"""A command run to its end: how long it took, and what it took of the control machine's CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LONGEST = 1200  # seconds


@dataclass(frozen=True)
class Measured:
    """A command that has ended."""

    code: int
    output: str  # stdout and stderr
    wall: float  # seconds
    cpu: float  # seconds, of the process and of all the processes that it has waited for
    memory: int  # bytes, resident, of the largest of them


def measured(command: list[str], cwd: Path, environment: Mapping[str, str] | None = None) -> Measured:
    """Runs a command. It is killed, with all it has started, after 20 minutes.

    + environment: additions to this process's own
    """
    with tempfile.TemporaryFile("w+") as said:
        start = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "PYINFRA_PROGRESS": "off", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        limit = threading.Timer(LONGEST, _kill, [process.pid])
        limit.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        cpu = usage.ru_utime + usage.ru_stime
        return Measured(process.returncode, said.read(), wall, cpu, usage.ru_maxrss * 1024)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)

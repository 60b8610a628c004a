"""Own the process in which programs run: start it, give it a deadline, end it, start another."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.sandbox import build

FUEL = 10**10  # instructions: the longest of the reference solutions takes less than half of it
DEADLINE = 60.0  # seconds; an endless loop has no fuel left after 1 to 2 s of a free processor
STARTED = 60.0  # seconds that a process may take to start
ANSWER = 100_000  # bytes of a verdict's line


class Program(NamedTuple):
    """A program, the name of its function, and tests that call it as ``candidate``."""

    source: str
    name: str
    tests: str
    fuel: int = FUEL


class Ran(NamedTuple):
    """How a program did: why it did not pass, empty where it did; the instructions that it took."""

    why: str
    fuel: int = 0


class _EndedError(Exception):
    pass


class _LateError(Exception):
    pass


class Sandbox:
    """The process, from its first program to ``close``; each program has an interpreter of its own."""

    def __init__(self, compiled: Path) -> None:
        """Take a compiled sandbox; the process is started with the first program."""
        self._command = build.child(build.site(), "serve", str(compiled))
        self._compiled = compiled
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, program: Program, deadline: float = DEADLINE) -> Ran:
        """Run a program and its tests. Raises BenchmarkError where no process can be started.

        A process that ends without a verdict may have been ended by somebody else: a new one tries once more.
        """
        for _ in range(2):
            process = self._process or self._start()
            try:
                answer = json.loads(_asked(process, program, deadline))
                return Ran(str(answer["why"]), int(answer["fuel"]))
            except _LateError:
                self.close()
                return Ran(f"it did not end within {deadline:.0f} s")
            except (_EndedError, OSError, ValueError, KeyError, TypeError):
                self.close()
        return Ran("it ended the process that ran it")

    def close(self) -> None:
        """End the process, if there is one, and all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # what was not yet written has no reader
                continue

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={},
            cwd="/",
            start_new_session=True,
        )
        try:
            _line(process, time.monotonic() + STARTED)
        except (_EndedError, _LateError):
            self.close()
            raise BenchmarkError(
                f"expected a sandbox in {self._compiled}, found none that starts: remove it, to build it anew"
            ) from None
        return process


def _asked(process: subprocess.Popen[bytes], program: Program, deadline: float) -> bytes:
    until = time.monotonic() + deadline
    assert process.stdin is not None
    job = memoryview(json.dumps(program._asdict()).encode() + b"\n")
    while job:
        job = job[process.stdin.write(job) or 0 :]
    return _line(process, until)


def _line(process: subprocess.Popen[bytes], until: float) -> bytes:
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise _LateError
        read = os.read(process.stdout.fileno(), ANSWER)
        if not read or len(line) > ANSWER:
            raise _EndedError
        line += read
    return line

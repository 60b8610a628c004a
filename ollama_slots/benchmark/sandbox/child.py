"""The process in which programs run: it has a compiled sandbox, limits, and no environment.

Started as a file, by ``process.py``, and without the rest of the package: what is not here cannot be reached.
One line of JSON a program on stdin, one line a verdict on stdout.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

sys.path.append(sys.argv[1])  # where wasmtime is installed

from wasmtime import Config, Engine, Store, WasiConfig, WasmtimeError
from wasmtime.component import Component, Linker

MEMORY = 256 << 20  # bytes that a program has
CPU_SECONDS = 60  # of this process for one program, whatever the fuel says
DATA = 2 << 30  # bytes of this process
TEXT = 1_000_001  # characters of a value, with its mark
# wasmtime starts its threads with the first output of a program: after that, none is needed any more.
FIRST = {"source": "def f(): print()", "name": "f", "tests": "candidate()", "fuel": 10**9}


def engine() -> Engine:
    """Return the engine of both the compiler and the server: what one made, the other can load."""
    config = Config()
    config.consume_fuel = True
    return Engine(config)


def compile_to(source: str, target: str) -> None:
    """Compile a component once, for this machine."""
    with open(source, "rb") as file:
        compiled = Component(engine(), file.read()).serialize()
    with open(target, "wb") as file:
        file.write(compiled)
        file.flush()
        os.fsync(file.fileno())


class Instance:
    """A fresh interpreter with fuel, memory and nothing else: no file, no environment, no network."""

    def __init__(self, component: Component, fuel: int, ask: Callable[[str], str]) -> None:
        """Link the sandbox; ask is what its tests have instead of the program."""
        linker = Linker(component_engine)
        linker.add_wasip2()
        with linker.root() as root:
            root.add_func("ask", lambda _, arguments: ask(arguments))
        self.store = Store(component_engine)
        self.store.set_wasi(WasiConfig())
        self.store.set_fuel(fuel)
        self.store.set_limits(memory_size=MEMORY)
        self.instance = linker.instantiate(self.store, component)
        self.fuel = fuel
        self.broken = ""

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()  # its memory goes now, whatever still refers to it

    def call(self, name: str, *arguments: str) -> str:
        """Return what a function of the sandbox answers; after a trap always what it was."""
        if self.broken:
            return self.broken
        function = self.instance.get_func(self.store, name)
        assert function is not None
        try:
            text = str(function(self.store, *arguments))
        except Exception as error:  # ExitTrap is none of WasmtimeError's
            self.broken = "!" + self._why(error)
            return self.broken
        return text if len(text) <= TEXT else f"!a value of more than {TEXT - 1} characters"

    def _why(self, error: Exception) -> str:
        if self.store.get_fuel() == 0:
            return f"it did not end within {self.fuel:.0e} instructions"
        kind = "the sandbox broke down" if isinstance(error, WasmtimeError) else "it left Python"
        return f"{kind}: {str(error).strip().splitlines()[-1].strip()}"[:200]


def nobody(_: str) -> str:
    """Answer a program that asks, as only tests may."""
    raise PermissionError("only tests may ask")


def verdict(component: Component, job: dict[str, Any]) -> dict[str, Any]:
    """Run a program and its tests in an instance each; ``why`` is empty where it passes."""
    with Instance(component, job["fuel"], nobody) as program:
        said = program.call("load", job["source"], job["name"])
        if said == "=":
            with Instance(component, job["fuel"], lambda arguments: program.call("call", arguments)) as tests:
                said = tests.call("check", job["tests"])
        return {
            "why": "" if said == "=" else said[1:] or "no answer",
            "fuel": program.fuel - program.store.get_fuel(),
        }


def limit() -> None:
    """Give up what a process may do and this one need not: processes, threads, files, memory without end."""
    for what, most in (("NPROC", 0), ("FSIZE", 0), ("CORE", 0), ("NOFILE", 16), ("DATA", DATA)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{what}"), (most, most))


def serve(path: str) -> None:
    """Answer jobs until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)  # nothing else shall stand between the answers
    component = Component.deserialize_file(component_engine, path)
    verdict(component, FIRST)
    limit()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        until = int(usage.ru_utime + usage.ru_stime) + 1 + CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        print(json.dumps(verdict(component, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    component_engine = engine()
    if sys.argv[2] == "compile":
        compile_to(sys.argv[3], sys.argv[4])
    else:
        serve(sys.argv[3])

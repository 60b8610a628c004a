"""Build the sandbox once on a machine: Python as a WebAssembly component, compiled for this processor."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ollama_slots.benchmark.cache import BenchmarkError, cache

HERE = Path(__file__).resolve().parent
RECIPE = ("guest.py", "world.wit", "child.py")  # child.py says how it is compiled
PACKAGES = ("wasmtime", "componentize-py")
COMMAND = "import sys; from componentize_py import script; sys.exit(script())"
SECONDS = 1200  # for either step, which take 15 to 60 s of a processor that is free


def site() -> str:
    """Return the directory from which wasmtime is imported. Raises BenchmarkError where it is not installed."""
    for package in PACKAGES:
        found = importlib.util.find_spec(package.replace("-", "_"))
        if found is None or found.origin is None:
            raise BenchmarkError(f"expected {package}, found none: pip install 'PATH/TO/ollama-slots[benchmark]'")
    spec = importlib.util.find_spec("wasmtime")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parents[1])


def recipe() -> str:
    """Return a short digest of all that the compiled sandbox depends on."""
    parts = [(HERE / name).read_bytes() for name in RECIPE]
    parts += [f"{name} {importlib.metadata.version(name)}".encode() for name in PACKAGES]
    parts.append(f"{platform.system()} {platform.machine()}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def sandbox() -> Path:
    """Return the compiled sandbox, built first where it is not there. It is there whole or not at all.

    Raises BenchmarkError where it cannot be built.
    """
    wasmtime = site()
    done = cache() / f"sandbox-{recipe()}.cwasm"
    with (done.parent / "sandbox.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second finds it built
        if not done.exists():
            for wreck in done.parent.glob(".sandbox.*"):
                shutil.rmtree(wreck, ignore_errors=True)
            print("building the sandbox, once: a minute of a free processor", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix=".sandbox.", dir=done.parent) as scratch:
                _built(wasmtime, Path(scratch)).replace(done)
    return done


def _built(wasmtime: str, scratch: Path) -> Path:
    for file in ("guest.py", "world.wit"):
        shutil.copy(HERE / file, scratch)
    # The component is made of the standard library and guest.py: no package of this environment is in it.
    environment = scratch / "environment"
    (environment / "lib" / "python3" / "site-packages").mkdir(parents=True)
    made, compiled = str(scratch / "sandbox.wasm"), scratch / "sandbox.cwasm"
    world = ["-q", "-d", str(scratch / "world.wit"), "-w", "sandbox"]
    build = ["componentize", "guest", "-p", str(scratch), "-o", made]
    _run([sys.executable, "-c", COMMAND, *world, *build], os.environ | {"VIRTUAL_ENV": str(environment)})
    _run(child(wasmtime, "compile", made, str(compiled)), {})
    return compiled


def child(wasmtime: str, *arguments: str) -> list[str]:
    """Return the command of the process that has wasmtime: nothing of the user's environment reaches it."""
    return [sys.executable, "-I", "-S", "-X", "utf8", str(HERE / "child.py"), wasmtime, *arguments]


def _run(command: list[str], environment: dict[str, str]) -> None:
    try:
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.CalledProcessError as error:
        lines = [it.strip() for it in error.stderr.splitlines() if it.strip()]
        said = next((it for it in lines if "Error" in it), "nothing")
        raise BenchmarkError(f"the sandbox cannot be built: {said[:200]}") from None
    except subprocess.TimeoutExpired:
        raise BenchmarkError(
            f"the sandbox was not built within {SECONDS} s: try when the machine is free"
        ) from None

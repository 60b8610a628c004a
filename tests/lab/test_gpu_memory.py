"""What is foreseen of the GPU memory that models of many shapes take, and what Ollama then says that they hold."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import SSH_CONFIG
from ollama_slots.core.shape import Load, held
from tests.lab.fleet import Host, until
from tests.lab.shapes import write

pytestmark = pytest.mark.gpu

SECOND = "http://127.0.0.1:11435"
INVOCATION = "systemctl show --property=InvocationID --value second"
SHAPES = [
    ("llama", Load(16384)),
    ("llama", Load(16384, cache="q8_0")),
    ("llama", Load(8192, parallel=4)),
    ("llama", Load(8192, flash=False)),
    ("llama", Load(8192, batch=2048)),
    ("gemma3", Load(8192, batch=4096)),
    ("llama", Load(8192, flash=False, batch=1024)),
    ("gemma2", Load(16384)),
    ("gemma3", Load(16384)),
    ("gpt-oss", Load(16384)),
    ("qwen3moe", Load(16384)),
    ("lfm2", Load(32768)),
    ("granitehybrid", Load(32768)),
]


@contextmanager
def second(host: Host, load: Load) -> Iterator[None]:
    """A second Ollama, with nothing in memory, that loads models so."""
    variables = {
        "HOME": "/run/second",
        "OLLAMA_HOST": SECOND,
        "OLLAMA_FLASH_ATTENTION": int(load.flash),
        "OLLAMA_NUM_PARALLEL": load.parallel,
        "OLLAMA_KV_CACHE_TYPE": load.cache,
    }
    environment = " ".join(f"-E {name}={value}" for name, value in variables.items())
    host.run(f"mkdir -p /run/second; systemd-run --quiet --collect --unit=second {environment} ollama serve")
    try:
        until("it answers", lambda: host.run(f"curl -s {SECOND}/api/version", check=False).returncode == 0)
        yield
    finally:
        host.run("systemctl stop second; rm -rf /run/second")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("architecture", "load"), SHAPES)
def test_more_is_foreseen_than_is_held_and_a_quarter_more_at_most(
    gpu1: Host, tmp_path: Path, architecture: str, load: Load, figures: list[str]
) -> None:
    file = tmp_path / "shape.gguf"
    write(file, architecture)
    with second(gpu1, load):
        command = "cat >/run/second/shape.gguf && echo FROM /run/second/shape.gguf >/run/second/Modelfile"
        subprocess.run(["ssh", "-F", SSH_CONFIG, "gpu1", command], stdin=file.open(), check=True, timeout=60)
        gpu1.run(f"OLLAMA_HOST={SECOND} HOME=/run/second ollama create shape -f /run/second/Modelfile")
        info = info_of(gpu1)
        gpu1.api("/api/generate", asked(load), url=SECOND)
        [runner] = gpu1.api("/api/ps", url=SECOND)["models"]
        said = gpu1.out(f"journalctl --sync; journalctl -o cat _SYSTEMD_INVOCATION_ID=$({INVOCATION})")
    shown, foreseen = runner["size_vram"], held(info, file.stat().st_size, load)
    assert (runner["size"], runner["context_length"]) == (shown, load.tokens)
    # Not what Ollama shows: of two caches, where windows slide, it counts one (llm/llama_server.go, v0.34.4).
    real = sum(float(it) for it in re.findall(r"CUDA0\S* .*buffer size = +([\d.]+) MiB", said)) * 2**20
    assert real >= shown * 0.99
    more = ("" if load.flash else ", no flash attention") + (f", num_batch {load.batch}" if load.batch else "")
    figures.append(
        f"GPU memory of {architecture}, {load.tokens} tokens x {load.parallel}, {load.cache}{more}: "
        f"{real / 1e6:.0f} MB held ({shown / 1e6:.0f} in /api/ps), {foreseen / 1e6:.0f} foreseen "
        f"({(foreseen / real - 1) * 100:+.0f} %)"
    )
    assert real <= foreseen <= 1.25 * real


def info_of(host: Host) -> dict[str, Any]:
    """The figures of the shape, lists too."""
    return dict(host.api("/api/show", {"model": "shape", "verbose": True}, url=SECOND)["model_info"])


def asked(load: Load) -> dict[str, Any]:
    options = {"num_predict": 1, "num_ctx": load.tokens} | ({"num_batch": load.batch} if load.batch else {})
    return {"model": "shape", "prompt": "w3", "raw": True, "stream": False, "options": options}

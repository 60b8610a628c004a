"""A pull that takes its time shows itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import registry
from tests.lab.fleet import REGISTRY, ROOT, Host, Project, listens, until

SLOW = REGISTRY.replace(":5000", ":5001")


@pytest.fixture
def slow_registry(tmp_path: Path) -> Iterator[None]:
    """The lab's registry once more, at another port and 20 MB/s."""
    text = (ROOT / "lab" / "nginx.conf").read_text()
    text = text.replace(":5000", ":5001").replace("/run/ollama-slots/registry.pid", f"{tmp_path}/pid")
    text = text.replace("default_type application/octet-stream;", "limit_rate 20m;", 1)
    (tmp_path / "nginx.conf").write_text(text)
    command = ["nginx", "-p", str(registry.TREE.parent), "-c", f"{tmp_path}/nginx.conf", "-g", "daemon off;"]
    nginx = subprocess.Popen(command)
    try:
        until("the slow registry answers", lambda: listens("10.79.0.1", 5001))
        yield
    finally:
        nginx.kill()
        nginx.wait(10)


def test_it_says_how_much_how_fast_and_how_long(project: Project, gpu1: Host, slow_registry: None) -> None:  # noqa: ARG001
    run = project.deploy(f"slot4_model={SLOW}/smollm2-slow:135m", options=("-y", "--limit", "gpu1"))
    assert run.code == 0, run.output
    progress = run.lines("gpu1", f"{SLOW}/smollm2-slow:135m:", "of 98 MB", "MB/s", "s left")
    assert progress, run.output
    assert gpu1.parent("experimental") == f"{SLOW}/smollm2-slow:135m"
    assert project.deploy("slot4_model=none").code == 0
    gpu1.run(f"ollama rm {SLOW}/smollm2-slow:135m")

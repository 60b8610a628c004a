"""A host that has a GPU, and an Ollama that does not see it: seen, healed once, and else a visible failure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import hosts
from tests.lab.fleet import SLOTS, Host, Project, until

pytestmark = pytest.mark.gpu

GPU = "/etc/simulated-gpu"  # without it the simulated driver is not ready
JOURNAL = "journalctl --sync; journalctl -b -u ollama-warmup -o cat"


@pytest.fixture
def no_driver(project: Project, gpu1: Host) -> Iterator[None]:
    """Takes the driver away until it is put back."""
    gpu1.run(f"cp {GPU} {GPU}.away && rm {GPU}")
    yield
    gpu1.run(f"cp {GPU}.away {GPU}; systemctl restart ollama")
    assert project.deploy().code == 0


def in_gpu(host: Host) -> bool:
    return all(it["size_vram"] == it["size"] for it in host.ps().values()) and host.listed(*SLOTS)


@pytest.mark.usefixtures("no_driver")
def test_a_driver_that_is_late_at_boot(gpu1: Host, figures: list[str]) -> None:
    hosts.reboot("gpu1")
    until("it is missed", lambda: "Ollama does not see the GPU" in gpu1.out(JOURNAL), 90)
    gpu1.run(f"cp {GPU}.away {GPU}")
    seconds = until("every slot is hot", lambda: gpu1.active("ollama-warmup") == "active", 90)
    figures.append(f"a driver that is late at boot: all resident {seconds:.1f} s after it was ready")
    assert in_gpu(gpu1)
    journal = gpu1.out(JOURNAL)
    assert journal.count("Ollama does not see the GPU, though its driver is ready: restarting Ollama, once") == 1


def test_a_driver_that_comes_later_is_made_good_by_a_deploy(project: Project, gpu1: Host) -> None:
    gpu1.run("touch /run/ollama-warmup.restarted")  # once was enough
    gpu1.run(f"mv {GPU} {GPU}.away && systemctl restart ollama")
    until("the warm-up has failed", lambda: gpu1.active("ollama-warmup") == "failed", 90)
    gpu1.run(f"mv {GPU}.away {GPU}")
    run = project.deploy()
    assert run.code == 0, run.output
    assert in_gpu(gpu1)

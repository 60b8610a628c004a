"""A host that has a GPU, and an Ollama that does not see it: seen, healed once, and else a visible failure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import hosts
from tests.lab.fleet import SLOTS, Host, Project, until

pytestmark = pytest.mark.gpu

GPU = "/etc/simulated-gpu"  # without it the simulated driver is not ready
LATE = "/etc/systemd/system/late-driver.service"
UNIT = f"""[Service]
ExecStart=sh -c "sleep 6; cp {GPU}.away {GPU}"
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def no_driver(project: Project, gpu1: Host) -> Iterator[None]:
    """Takes the driver away until it is put back."""
    gpu1.run(f"cp {GPU} {GPU}.away && rm {GPU}")
    yield
    gpu1.run(f"cp {GPU}.away {GPU}; systemctl disable --quiet late-driver 2>/dev/null; rm -f {LATE}")
    gpu1.run("systemctl restart ollama")
    assert project.deploy().code == 0


def in_gpu(host: Host) -> bool:
    return all(it["size_vram"] == it["size"] for it in host.ps().values()) and host.listed(*SLOTS)


@pytest.mark.usefixtures("no_driver")
def test_a_driver_that_is_late_at_boot(gpu1: Host, figures: list[str]) -> None:
    gpu1.run(f"printf '%s' '{UNIT}' >{LATE} && systemctl enable --quiet late-driver")
    hosts.reboot("gpu1")
    seconds = until("every slot is hot", lambda: gpu1.active("ollama-warmup") == "active", 90)
    figures.append(f"driver ready 6 s after boot: all resident {seconds:.1f} s after the API answered")
    assert in_gpu(gpu1)
    journal = gpu1.out("journalctl -b -u ollama-warmup -o cat")
    assert journal.count("Ollama does not see the GPU, whose driver is ready: it is restarted, once") == 1


def test_a_driver_that_comes_later_is_made_good_by_a_deploy(project: Project, gpu1: Host) -> None:
    gpu1.run("touch /run/ollama-warmup.restarted")  # once was enough
    gpu1.run(f"mv {GPU} {GPU}.away && systemctl restart ollama")
    until("the warm-up has failed", lambda: gpu1.active("ollama-warmup") == "failed", 90)
    gpu1.run(f"mv {GPU}.away {GPU}")
    run = project.deploy()
    assert run.code == 0, run.output
    assert in_gpu(gpu1)

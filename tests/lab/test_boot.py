"""Whatever restarts Ollama, every slot is resident again without a deploy."""

from __future__ import annotations

import time

import pytest

from lab import hosts as lab_hosts
from tests.lab.fleet import BACK_SECONDS, SLOTS, Host, Project, until

RESTARTS = {
    "reboot": "systemctl reboot",
    "restart": "systemctl restart ollama",
    "stop and start": "systemctl stop ollama && systemctl start ollama",
    "kill -9": "kill -9 $(systemctl show -p MainPID --value ollama)",
}


def bare_loads(host: Host) -> float:
    """The seconds that four bare loads take, one after the other, on a server that has just started."""
    host.run("systemctl stop ollama-warmup; systemctl mask --runtime ollama-warmup; systemctl restart ollama")
    request = '{"model":"%s","prompt":"Hi","stream":false,"options":{"num_predict":1}}'
    url = "http://127.0.0.1:11434/api/generate"
    loads = "; ".join(f"curl -s -o /dev/null -d '{request % slot}' {url}" for slot in SLOTS)
    host.run("until curl -fs -o /dev/null http://127.0.0.1:11434/api/version; do sleep 0.05; done")
    start = time.monotonic()
    host.run(loads)
    seconds = time.monotonic() - start
    host.run("systemctl unmask --runtime ollama-warmup; systemctl start ollama-warmup")
    return seconds


@pytest.mark.parametrize("how", RESTARTS)
def test_all_slots_come_back(project: Project, gpu1: Host, figures: list[str], how: str) -> None:  # noqa: ARG001
    floor = bare_loads(gpu1)
    process = gpu1.out("systemctl show -p MainPID --value ollama; cat /proc/sys/kernel/random/boot_id")
    if how == "reboot":
        lab_hosts.reboot("gpu1")
    else:
        gpu1.run(RESTARTS[how])
    until("Ollama answers, as another process", lambda: answers_anew(gpu1, process), BACK_SECONDS)
    # From here on the host is only watched.
    hot = until("all four slots resident", lambda: gpu1.listed(*SLOTS))
    until("the unit is active", lambda: gpu1.active("ollama-warmup") == "active")
    assert len(gpu1.ps()) == 4
    figures.append(f"after {how}: all resident {hot:.1f} s after the API answers; four bare loads {floor:.1f} s")


def test_what_the_engine_was_told_to_unload_is_loaded_after_it_has(project: Project, gpu1: Host) -> None:  # noqa: ARG001
    """It unloads one after the other, and seconds later, also what was asked for meanwhile."""
    before = gpu1.runners()
    gpu1.run(f"{'; '.join(f'ollama stop {slot}' for slot in SLOTS)}; systemctl restart ollama-warmup")
    assert gpu1.resident(*SLOTS)
    assert not gpu1.runners() & before, "what is hot is not what is about to go"


def answers_anew(host: Host, process: str) -> bool:
    """Whether the API answers and its process is not the one of before."""
    version = host.run("curl -fs --max-time 2 http://127.0.0.1:11434/api/version", check=False)
    if version.returncode:
        return False
    return host.out("systemctl show -p MainPID --value ollama; cat /proc/sys/kernel/random/boot_id") != process

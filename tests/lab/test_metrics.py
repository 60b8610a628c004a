"""What the warm-up writes for Prometheus, beside what Ollama says itself."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from tests.lab.fleet import SLOTS, Host, Project, until
from tests.lab.test_broken_slot import lose_weights

# As README points a collector that is not root at the file.
COLLECTOR = (
    "systemd-run --quiet --wait --pipe -p DynamicUser=yes "
    "-p BindReadOnlyPaths=-/var/lib/private/ollama-warmup:/run/ollama-warmup "
    "cat /run/ollama-warmup/ollama-slots.prom"
)


def metrics(host: Host) -> dict[str, dict[str, float]]:
    """The values of each slot, by metric."""
    families = text_string_to_metric_families(host.out(COLLECTOR) + "\n")
    return {
        it.name: {sample.labels["slot"]: sample.value for sample in it.samples if "slot" in sample.labels}
        for it in families
    }


def test_they_are_what_ollama_says(project: Project, gpu1: Host) -> None:  # noqa: ARG001
    gpu1.run("systemctl restart ollama")  # so that every runner has its slot's own digest
    until("the warm-up is done", lambda: gpu1.active("ollama-warmup") == "active")
    tags, ps, found = gpu1.tags(), gpu1.ps(), metrics(gpu1)
    runners = {slot: ps[tags[f"{slot}:latest"]["digest"]] for slot in SLOTS}
    assert found["ollama_slot_resident"] == dict.fromkeys(SLOTS, 1.0)
    assert found["ollama_slot_gpu_bytes"] == {slot: it["size_vram"] for slot, it in runners.items()}
    assert found["ollama_slot_context_tokens"] == {slot: it["context_length"] for slot, it in runners.items()}
    assert set(found["ollama_slot_load_seconds"]) == set(SLOTS)
    assert all(0 < seconds < 120 for seconds in found["ollama_slot_load_seconds"].values())


def test_a_slot_that_failed_is_not_resident(project: Project, gpu1: Host) -> None:
    lose_weights(gpu1)
    assert gpu1.run("systemctl restart ollama-warmup", check=False).returncode != 0
    found = metrics(gpu1)
    assert found["ollama_slot_resident"] == {slot: float(slot != "backup") for slot in SLOTS}
    for name in ("ollama_slot_load_seconds", "ollama_slot_gpu_bytes", "ollama_slot_context_tokens"):
        assert set(found[name]) == set(SLOTS) - {"backup"}

    assert project.deploy().code == 0
    assert metrics(gpu1)["ollama_slot_resident"] == dict.fromkeys(SLOTS, 1.0)


def test_when_ollama_stops_no_slot_is_resident(project: Project, gpu1: Host) -> None:
    gpu1.run("systemctl stop ollama")
    found = metrics(gpu1)
    assert found["ollama_slot_resident"] == dict.fromkeys(SLOTS, 0.0)
    assert project.deploy().code == 0


def test_the_warm_up_keeps_its_hardening(project: Project, gpu1: Host) -> None:  # noqa: ARG001
    said = gpu1.out("systemd-analyze security --no-pager ollama-warmup.service")
    exposure = re.search(r"Overall exposure level for ollama-warmup.service: ([0-9.]+)", said)
    assert exposure, said
    assert float(exposure[1]) <= 1.0
    # All that it may write is one directory, and what is in it is for everybody to read.
    kept = gpu1.out("cd /var/lib/ollama-warmup && stat -c '%n %a' . *")
    assert kept.splitlines() == [". 755", "ollama-slots.prom 644"]

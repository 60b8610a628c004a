"""A slot whose weights are gone: the warm-up says so, a deploy repairs it, and fails honestly where it cannot."""

from __future__ import annotations

from lab import registry
from tests.lab.conftest import serve
from tests.lab.fleet import Host, Project, model, until

BLOBS = "/usr/share/ollama/.ollama/models/blobs"


def lose_weights(host: Host) -> None:
    """Removes the backup's weights from the host's disk and from its memory."""
    blob = host.weights("backup")
    host.run(f"rm {BLOBS}/sha256-{blob}")
    host.unload("backup")


def test_warm_up_names_the_slot_and_loads_the_others(project: Project, gpu1: Host) -> None:
    lose_weights(gpu1)
    since = gpu1.now()
    assert gpu1.run("systemctl restart ollama-warmup", check=False).returncode != 0
    assert gpu1.active("ollama-warmup") == "failed"
    said = gpu1.journal("ollama-warmup", since)
    assert "backup: does not load: " in said
    assert "not found" in said or "no such file" in said
    assert "not resident: backup" in said
    assert gpu1.resident("coding-primary", "general-primary", "experimental")

    run = project.deploy()
    assert run.code == 0, run.output
    assert run.lines("gpu1", "pull " + model("smollm2:135m"))
    assert not run.lines("gpu2", "pull ")
    assert gpu1.resident("backup")
    assert gpu1.active("ollama-warmup") == "active"


def test_without_the_registry_only_that_host_fails(project: Project, gpu1: Host, gpu2: Host) -> None:
    lose_weights(gpu1)
    registry.stop()
    run = project.deploy()
    assert run.code == 1
    assert run.lines("gpu1", "backup")
    assert run.lines("pull of " + model("smollm2:135m") + " failed", "connection refused"), run.output
    assert not run.lines("gpu2", "rror")
    assert gpu2.resident("coding-primary", "general-primary", "backup", "experimental")
    assert gpu1.resident("coding-primary", "general-primary", "experimental")

    serve()
    assert project.deploy().code == 0
    assert gpu1.resident("backup")


def test_weights_that_were_missing_when_ollama_started(project: Project, gpu1: Host) -> None:
    """The engine then remembers that the name cannot generate, also after the weights are back."""
    lose_weights(gpu1)
    gpu1.run("systemctl restart ollama")
    until("the warm-up has failed", lambda: gpu1.active("ollama-warmup") == "failed")
    assert gpu1.resident("coding-primary", "general-primary", "experimental")
    process = gpu1.out("systemctl show -p MainPID --value ollama")
    run = project.deploy()
    assert run.code == 0, run.output
    assert gpu1.resident("backup")
    assert gpu1.answers("backup")
    assert gpu1.out("systemctl show -p MainPID --value ollama") == process, "the other slots went on answering"
    assert project.deploy().changes == 0

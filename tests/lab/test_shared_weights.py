"""Slots with the same weights share one runner, so their windows must agree."""

from __future__ import annotations

import pytest

from tests.lab.client import tunnel
from tests.lab.fleet import Host, Project, model


@pytest.mark.parametrize("name", ["smollm2-coder:135m", "SmolLM2-coder:135m"], ids=["same", "other case"])
def test_windows_are_aligned(project: Project, gpu1: Host, name: str) -> None:
    shared(project, gpu1, model(name), "smollm2-coder")


def test_the_same_weights_under_two_names_are_one_base(project: Project, gpu1: Host) -> None:
    project.select(slot1_coding=model("smollm2:135m"))
    shared(project, gpu1, model("smollm2-twin:135m"), "smollm2:135m")


def shared(project: Project, gpu1: Host, backup: str, notice: str) -> None:
    """Slots 1 (8192 tokens) and 3 (4096) on the same weights: one runner at 8192, which serves both names."""
    project.select(slot3_backup=backup)
    run = project.deploy()
    assert run.code == 0, run.output
    notices = run.lines("gpu1", "coding-primary and backup share the weights of", notice, "8192 tokens")
    assert len(notices) == 1, run.output
    assert gpu1.weights("coding-primary") == gpu1.weights("backup")
    assert len(gpu1.ps()) == 3
    assert "num_ctx 8192" in " ".join(gpu1.out("cat /etc/ollama/modelfiles/backup.Modelfile").split())
    before = gpu1.runners()
    for slot in ("coding-primary", "backup", "coding-primary", "backup"):
        assert gpu1.answers(slot)
    assert gpu1.runners() == before, "nothing is loaded for it"
    assert project.deploy().changes == 0


def test_error_refuses_and_leaves_the_slots(project: Project, gpu1: Host) -> None:
    before = gpu1.tags()
    project.select(slot3_backup=model("smollm2-coder:135m"))
    run = project.deploy("shared_base=error")
    assert run.code == 1
    assert run.lines("gpu1") or run.lines("share the weights")
    assert run.lines("coding-primary and backup share the weights", "shared_base is error"), run.output
    assert gpu1.tags() == before


def test_allow_does_as_told_with_a_warning(project: Project, gpu1: Host) -> None:
    project.select(slot3_backup=model("smollm2-coder:135m"))
    run = project.deploy("shared_base=allow")
    assert run.lines("gpu1", "each request to the other one reloads the model"), run.output
    assert "num_ctx 4096" in " ".join(gpu1.out("cat /etc/ollama/modelfiles/backup.Modelfile").split())
    with tunnel(gpu1):
        assert gpu1.answers("coding-primary")
        assert gpu1.answers("backup")

"""Slots of other kinds beside the four: an embedding model, and a model for the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import hosts as lab_hosts
from tests.lab.client import asking, assert_none_failed
from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, model

ON_THE_CPU = {"num_gpu": 0}
KINDS = {
    "slot4_model": SLOT4.partition("=")[2],
    "slot5_name": "embedding",
    "slot5_model": model("smollm2-embed:135m"),
    "slot5_num_ctx": 2048,
    "slot6_name": "small",
    "slot6_model": model("smollm2-spare:135m"),
    "slot6_num_ctx": 2048,
    "slot6_parameters": ON_THE_CPU,
}
ALL = (*SLOTS, "embedding", "small")


def declare(project: Project, **more: object) -> None:
    """Writes an inventory of gpu1 alone, with the two slots beside the four."""
    (project.path / "inventory.py").write_text(f"lab = [('gpu1', {KINDS | more!r})]\n")


@pytest.fixture
def six(project: Project, gpu1: Host) -> Iterator[Project]:
    """The project with both slots declared and deployed."""
    declare(project)
    run = project.deploy()
    assert run.code == 0, run.output
    assert len(run.lines("gpu1", " yes")) == len(ALL), run.output
    yield project
    declare(project, slot5_model="none", slot6_model="none")
    assert project.deploy().code == 0
    for name in ("embedding", "small"):
        gpu1.run(
            f"ollama rm {name}:previous {name}; rm -f /var/lib/ollama-slots/previous/{name}.slot", check=False
        )


def vectors(host: Host) -> int:
    """How many numbers the embedding slot answers with."""
    return len(host.api("/api/embed", {"model": "embedding", "input": "Hi"})["embeddings"][0])


def test_they_are_made_proven_rotated_rolled_back_and_there_after_a_boot(
    six: Project, gpu1: Host, figures: list[str]
) -> None:
    assert six.deploy().changes == 0
    assert vectors(gpu1) == 576
    held = {it["name"].partition(":")[0]: it for it in gpu1.ps().values()}
    assert held["small"]["size_vram"] < held["small"]["size"] or held["small"]["size_vram"] == 0
    spare = gpu1.weights("small")

    declare(six, slot5_num_ctx=1024, slot6_model=model("smollm2-slow:135m"))
    with asking(gpu1, "small", "backup") as (record, other):
        run = six.deploy()
    assert run.code == 0, run.output
    assert run.lines("slot embedding", "1024 tokens"), run.output
    figures.append(f"rotation of a slot on the CPU and of an embedding one: {record}; another slot: {other}")
    assert gpu1.weights("small") != spare
    assert {it["context_length"] for it in gpu1.ps().values() if "embedding" in it["name"]} == {1024}
    assert (vectors(gpu1), len(gpu1.ps())) == (576, len(ALL))

    for name in ("embedding", "small"):
        run = six.deploy(f"rollback={name}", tasks="tasks/rollback.py")
        assert run.code == 0, run.output
    assert gpu1.weights("small") == spare
    assert {it["context_length"] for it in gpu1.ps().values() if "embedding" in it["name"]} == {2048}
    assert_none_failed(record, other)

    lab_hosts.reboot("gpu1")
    assert gpu1.warmed_up() == "active"
    assert gpu1.resident(*ALL)
    declare(six)
    assert six.deploy().changes == 0, "what was rolled back is what is declared again"
    code, _, said = six.verify()
    assert code == 0, said


def test_one_that_left_memory_is_missed_and_made_good(six: Project, gpu1: Host) -> None:
    for name in ("embedding", "small"):
        gpu1.unload(name)
        run = six.deploy(tasks="tasks/status.py")
        assert run.code == 1
        assert run.lines(f"slot {name}"), run.output
        assert six.deploy().code == 0
        assert gpu1.resident(*ALL)

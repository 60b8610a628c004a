"""Slots go back to what they had before, without a failed request."""

from __future__ import annotations

from tests.lab.client import asking, assert_none_failed
from tests.lab.fleet import SLOTS, Host, Project, model

ROLLBACK, PRUNE = "tasks/rollback.py", "tasks/prune.py"
SPARE, CHAT = model("smollm2-spare:135m"), model("smollm2-chat:135m")
MODELFILE = "cat /etc/ollama/modelfiles/coding-primary.Modelfile"


def test_back_and_forward_again(project: Project, gpu1: Host, gpu2: Host, figures: list[str]) -> None:
    # What the other slots had in earlier tests is not to go back to.
    assert project.deploy("prune=true", "prune_previous=true", tasks=PRUNE).code == 0
    coder = gpu1.parent("coding-primary")
    before = gpu1.tags()["coding-primary:latest"]["digest"], gpu1.weights("coding-primary"), gpu1.out(MODELFILE)
    project.select(slot1_coding=SPARE, slot2_general=CHAT)
    assert project.deploy().code == 0
    with asking(gpu1, "coding-primary", "general-primary") as (record, other):
        run = project.deploy("rollback=coding-primary", tasks=ROLLBACK)
    assert run.code == 0, run.output
    figures.append(f"rollback: {record}; another slot: {other}")
    assert run.lines("gpu1", f"coding-primary: {coder} at 8192 tokens, back in place of {SPARE}"), run.output
    assert run.lines(
        "gpu1", "the next deploy would: slot coding-primary", f"{SPARE} at 8192 tokens, in place of {coder}"
    )
    after = gpu1.tags()["coding-primary:latest"]["digest"], gpu1.weights("coding-primary"), gpu1.out(MODELFILE)
    assert after == before
    for host in (gpu1, gpu2):
        assert host.parent("coding-primary") == coder
        assert host.parent("general-primary") == CHAT, "only the one that was named"
        assert host.parent("coding-primary:previous") == SPARE
        assert host.resident(*SLOTS)
        assert len(host.ps()) == 4, "the newer weights are not in memory"
    assert_none_failed(record, other)

    again = project.deploy("rollback=coding-primary", tasks=ROLLBACK)
    assert again.code == 0
    assert again.changes == 0, "twice back is once back"

    gpu1.run("systemctl restart ollama-warmup")  # by the state that followed
    assert gpu1.resident(*SLOTS)

    forward = project.deploy()
    assert forward.code == 0, forward.output
    assert gpu1.parent("coding-primary") == SPARE
    assert project.deploy().changes == 0
    every = project.deploy(tasks=ROLLBACK)
    assert every.code == 0, every.output
    for host in (gpu1, gpu2):
        assert host.parent("coding-primary") == coder
        assert host.parent("general-primary") != CHAT
        assert host.resident(*SLOTS)


def test_a_slot_that_has_nothing_to_go_back_to(project: Project, gpu1: Host) -> None:
    """Somebody else's model is in the place of the one before: it is not gone back to."""
    gpu1.api("/api/copy", {"source": model("smollm2:135m"), "destination": "coding-primary:previous"})
    before = {name: it["digest"] for name, it in gpu1.tags().items()}
    run = project.deploy("rollback=coding-primary", tasks=ROLLBACK)
    assert run.code == 1
    assert run.lines("gpu1", "slot coding-primary: expected its previous variant, found another"), run.output
    assert {name: it["digest"] for name, it in gpu1.tags().items()} == before
    assert gpu1.answers("coding-primary")


def test_a_name_that_is_no_slot(project: Project) -> None:
    run = project.deploy("rollback=codign", tasks=ROLLBACK)
    assert run.code == 1
    assert run.lines("rollback: expected all or the name of a slot, found 'codign'"), run.output

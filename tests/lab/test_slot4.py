"""Slot 4 is the user's alone."""

from __future__ import annotations

from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, model


def test_it_is_set_left_alone_and_emptied(project: Project, fleet: tuple[Host, Host]) -> None:
    chosen = model("smollm2-chat:135m")
    assert project.deploy(f"slot4_model={chosen}").code == 0
    for host in fleet:
        assert host.parent("experimental") == chosen
        assert host.resident(*SLOTS)

    left = project.deploy()
    assert left.code == 0
    assert left.changes == 0
    assert all(host.parent("experimental") == chosen for host in fleet)

    emptied = project.deploy("slot4_model=none")
    assert emptied.code == 0, emptied.output
    for host in fleet:
        assert not [name for name in host.tags() if name.startswith("experimental")]
        assert len(host.ps()) == 3
        assert not host.out("ls /var/lib/ollama-slots /etc/ollama/modelfiles | grep experimental || true")
        since = host.now()
        host.run("systemctl restart ollama-warmup")
        assert "experimental" not in host.journal("ollama-warmup", since), "the unit knows of three slots"
        assert len(host.ps()) == 3
    assert emptied.lines("gpu1", "experimental", "empty")
    again = project.deploy()
    assert again.changes == 0, "an empty slot stays empty"


def test_the_selection_file_does_not_set_it(project: Project, gpu1: Host) -> None:
    project.select(slot4_experimental=model("smollm2-chat:135m"))
    run = project.deploy()
    assert run.code == 0
    assert run.changes == 0
    assert len(run.lines("slot4_experimental is ignored")) == 1
    assert gpu1.parent("experimental") == model("smollm2-math:135m")
    assert project.deploy(SLOT4).changes == 0


def test_the_same_model_by_another_spelling_changes_nothing(project: Project) -> None:
    assert project.deploy(SLOT4.replace("smollm2-math", "SmolLM2-Math")).changes == 0

"""A host, a group or a run can have what others have not."""

from __future__ import annotations

import json

import pytest

from tests.lab.fleet import SLOTS, Host, Project, model


def test_one_host_has_another_base_and_window(project: Project, gpu1: Host, gpu2: Host) -> None:
    own = {"slot3_model": model("smollm2-chat:135m"), "slot3_num_ctx": 2048}
    (project.path / "inventory.py").write_text(f'lab = ["gpu1", ("gpu2", {own!r})]\n')
    others = {slot: gpu2.tags()[f"{slot}:latest"]["digest"] for slot in SLOTS if slot != "backup"}
    gpu1_before = gpu1.tags()
    run = project.deploy()
    assert run.code == 0, run.output
    assert gpu2.parent("backup") == model("smollm2-chat:135m")
    assert gpu2.ps()[gpu2.tags()["backup:latest"]["digest"]]["context_length"] == 2048
    assert {slot: gpu2.tags()[f"{slot}:latest"]["digest"] for slot in others} == others
    assert gpu1.tags() == gpu1_before


def test_one_host_has_a_selection_file_of_its_own(project: Project, gpu1: Host, gpu2: Host) -> None:
    own = {
        "slot1_coding": model("smollm2-coder:135m"),
        "slot2_general": model("gemma3:270m"),
        "slot3_backup": model("smollm2-chat:135m"),
    }
    (project.path / "gpu2.json").write_text(json.dumps(own))
    (project.path / "inventory.py").write_text(
        'from ollama_slots.selection import slot_models\n\nlab = ["gpu1", ("gpu2", slot_models("gpu2.json"))]\n'
    )
    gpu1_before = gpu1.tags()
    run = project.deploy()
    assert run.code == 0, run.output
    assert gpu2.parent("backup") == model("smollm2-chat:135m")
    assert gpu2.resident(*SLOTS)
    assert gpu1.tags() == gpu1_before


def test_a_window_beyond_training_is_capped_with_a_notice(project: Project, gpu1: Host) -> None:
    run = project.deploy("slot1_num_ctx=32768")
    assert run.code == 0, run.output
    assert len(run.lines("gpu1", "trained for 8192 tokens, so its context window is 8192, not 32768")) == 1
    loaded = {it["name"].partition(":")[0]: it["context_length"] for it in gpu1.ps().values()}
    assert loaded["coding-primary"] == 8192
    assert project.deploy("slot1_num_ctx=32768").changes == 0


def test_a_fifth_slot_is_its_lines_in_the_data(project: Project, gpu2: Host) -> None:
    path = project.path / "group_data" / "lab.py"
    text = path.read_text()
    path.write_text(
        text + f'\nslot5_name = "extra"\nslot5_num_ctx = 2048\nslot5_model = "{model("smollm2-chat:135m")}"\n'
    )
    run = project.deploy()
    assert run.code == 0, run.output
    assert gpu2.resident(*SLOTS, "extra")
    assert project.deploy("slot5_model=none").code == 0
    assert "extra:latest" not in gpu2.tags()


def test_a_user_who_is_not_root_does_it_with_sudo(project: Project, gpu1: Host) -> None:
    data = ("ssh_user=admin", "_sudo=true", f"slot4_model={model('smollm2-chat:135m')}")
    gpu1.run("systemctl disable --now ollama-warmup")
    run = project.deploy(*data)
    assert run.code == 0, run.output
    assert gpu1.parent("experimental") == model("smollm2-chat:135m")
    assert gpu1.active("ollama-warmup") == "active"
    assert project.deploy(*data).changes == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("slot4_model=x;$(reboot)", ("slot4_model", "not a model name")),
        ("slot1_num_ctx=many", ("slot1_num_ctx", "valid integer")),
        ("slot1_nam=x", ("slot1_nam",)),
        ("slot2_name=backup", ("slot3_name", "backup")),
        ("shared_base=maybe", ("shared_base", "align")),
    ],
)
def test_bad_data_is_one_line_and_touches_no_host(
    checkout: Project, gpu1: Host, data: str, words: tuple[str, ...]
) -> None:
    before, since = gpu1.tags(), gpu1.now()
    run = checkout.deploy(data)
    assert run.code == 1
    assert len(run.lines(*words)) == 1, run.output
    assert "Traceback" not in run.output
    assert "Starting operation" not in run.output
    assert gpu1.tags() == before
    assert gpu1.journal("ollama", since).count("[GIN]") == 1, "the look just taken is the only request"

"""A selection file is the defaults' stand-in where it is missing, and one clear line where it is wrong."""

from __future__ import annotations

import json

import pytest

from tests.lab.fleet import Host, Project, model

GOOD = model("smollm2:135m")
BROKEN = {
    "empty": ("", "empty file"),
    "not JSON": ("{slot1_coding", "expected JSON"),
    "a list": ("[]", "found a list"),
    "wrong type": ('{"slot1_coding": 7}', "slot1_coding"),
    "unknown slot": ('{"slot9_x": "a"}', "slot9_x"),
    "empty name": ('{"slot1_coding": ""}', "slot1_coding"),
    "shell in a name": ('{"slot1_coding": "x;$(reboot)"}', "slot1_coding"),
    "long name": (json.dumps({"slot1_coding": "x" * 300}), "slot1_coding"),
    "no composites": (json.dumps({"results": {GOOD: {"tokens_per_sec": 5}}}), "slot1_coding"),
    "not a number": ('{"results": {"x": {"coding_composite": NaN, "general_composite": 1}}}', "slot1_coding"),
}


def connections(host: Host) -> int:
    """The connections that a host's sshd has seen; asking is over one that is open already."""
    return int(host.out("journalctl --sync; journalctl -u ssh -o cat --no-pager | grep -c 'Connection from'"))


@pytest.mark.parametrize("kind", [*BROKEN, "unreadable"])
def test_a_broken_file_ends_in_one_line_before_any_connection(
    checkout: Project, fleet: tuple[Host, Host], kind: str
) -> None:
    if kind == "unreadable":  # root reads any file, but not a directory
        checkout.selection.unlink()
        checkout.selection.mkdir()
        word = "directory"
    else:
        text, word = BROKEN[kind]
        checkout.selection.write_text(text)
    before = [connections(host) for host in fleet]
    run = checkout.deploy()
    assert run.code == 1
    assert len(run.lines("lab/model_selection.json: ", word)) == 1, run.output
    assert "Traceback" not in run.output
    assert "Connecting" not in run.output
    assert [connections(host) for host in fleet] == before


def test_a_missing_file_that_was_named_ends_in_one_line(checkout: Project, fleet: tuple[Host, Host]) -> None:
    checkout.selection.unlink()
    before = [connections(host) for host in fleet]
    run = checkout.deploy()
    assert run.code == 1
    assert len(run.lines("lab/model_selection.json: expected a selection file, found none")) == 1, run.output
    assert [connections(host) for host in fleet] == before


def test_without_a_file_beside_deploy_py_the_defaults_hold(project: Project, gpu1: Host) -> None:
    own = project.path / "group_data" / "lab.py"
    named = 'globals().update(slot_models("lab/model_selection.json"))'
    assert named in own.read_text()
    own.write_text(own.read_text().replace(named, ""))
    before = gpu1.tags()
    run = project.deploy(options=("--dry",))
    for default in ("qwen2.5-coder:14b", "llama3.1:8b", "deepseek-coder-v2:16b"):
        assert run.lines("gpu1", f"pull {default}"), run.output
    assert gpu1.tags() == before


def test_metrics_alone_choose_the_models(project: Project, gpu1: Host) -> None:
    results = {
        model("smollm2-chat:135m"): {"coding_composite": 0.9, "general_composite": 0.9, "tokens_per_sec": 9},
        model("smollm2-math:135m"): {"coding_composite": 0.5, "general_composite": 0.7},
        model("gemma3:270m"): {"coding_composite": 0.8, "general_composite": 0.2},
        model("smollm2:135m"): {"coding_composite": 0.99},
    }
    project.selection.write_text(json.dumps({"results": results}))
    run = project.deploy()
    assert run.code == 0, run.output
    assert gpu1.parent("coding-primary") == gpu1.parent("general-primary") == model("smollm2-chat:135m")
    assert gpu1.parent("backup") == model("smollm2-math:135m")

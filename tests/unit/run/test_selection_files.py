import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import PyinfraError

from ollama_slots import selection
from tests.unit.complaint import complaint

GOOD = {"slot1_coding": "a", "slot2_general": "b", "slot3_backup": "c"}
METRICS = {"coding_composite": 0.5, "general_composite": 0.5}


def with_results(**metrics: Any) -> str:
    return json.dumps(GOOD | {"results": {"m": METRICS | metrics}})


def refused(path: Path) -> str:
    """The message that a bad file ends in: a PyinfraError of one printable line that begins with the file."""
    with pytest.raises(PyinfraError) as refusal:
        selection.slot_models(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < 500
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model_selection.json"


@pytest.mark.parametrize("named", ["model_selection.json", "./model_selection.json", Path("model_selection.json")])
def test_no_file_beside_deploy_py_means_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert selection.slot_models(named) == {}


@pytest.mark.parametrize("program", ["/usr/bin/pyinfra", "/usr/lib/python3/dist-packages/pyinfra/__main__.py"])
@pytest.mark.parametrize("hosts", ["{}/inventory.py", "@local", "gpu1,gpu2"])
def test_a_file_beside_what_pyinfra_runs_counts_and_where_it_runs_elsewhere_it_is_told(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, hosts: str
) -> None:
    """Such as by a timer: other models would be deployed, and nobody told."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "argv", [program, hosts.format(tmp_path), "../deploy.py", "-y"])
    file.write_text(json.dumps(GOOD))
    line = (
        f"model_selection.json: expected where pyinfra runs, found only {file}: run pyinfra there (cd {tmp_path})"
    )
    assert complaint(selection.slot_models, "model_selection.json") == line


def test_a_file_beside_an_inventory_is_its_hosts_and_no_reason_to_run_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod/model_selection.json").write_text(json.dumps(GOOD))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pyinfra", "prod/inventory.py", "deploy.py"])
    assert selection.slot_models("model_selection.json") == {}, (
        "group_data/all.py may be read before those of groups"
    )
    assert selection.slot_models("prod/model_selection.json")
    assert selection.slot_models("model_selection.json") == {}
    selection._named.clear()
    for argv in (["ollama-slots-mirror", "to", "--inventory", "prod/inventory.py"], ["pytest"]):
        monkeypatch.setattr(sys, "argv", argv)
        assert selection.slot_models("model_selection.json") == {}


@pytest.mark.parametrize("named", ["selections/gpu-c.json", "selections/model_selection.json", "gpu-c.json"])
def test_any_other_file_was_named_on_purpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.chdir(tmp_path)
    told = "expected a selection file, found none: correct its path, which begins where pyinfra runs"
    assert refused(Path(named)) == told
    assert refused(tmp_path / named) == told


def test_a_file_gives_host_data_for_slots_1_to_3(file: Path) -> None:
    file.write_text(json.dumps(GOOD))
    assert selection.slot_models(file) == {"slot1_model": "a", "slot2_model": "b", "slot3_model": "c"}


@pytest.mark.parametrize("key", [*GOOD, "slot4_experimental"])
def test_none_in_a_file_empties_no_slot(file: Path, key: str) -> None:
    best = {name: METRICS | {"tokens_per_sec": 1} for name in ("none", "x", "y", "z")}
    file.write_text(json.dumps(GOOD | {key: "none", "results": best}))
    assert "none" not in selection.slot_models(file).values()


@pytest.mark.parametrize("named", ["mistral:7b", "gpt-oss:120b-cloud", "a b", 4, ["x"]])
def test_slot_4_is_never_taken_from_the_file_and_one_line_says_so(
    file: Path, caplog: pytest.LogCaptureFixture, named: object
) -> None:
    file.write_text(json.dumps(GOOD | {"slot4_experimental": named}))
    assert "slot4_model" not in selection.slot_models(file)
    [notice] = caplog.messages
    assert "slot4_experimental is ignored" in notice


@pytest.mark.parametrize("nothing", [None, "none", "None"])
def test_slot_4_of_null_or_none_needs_no_notice(
    file: Path, nothing: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(json.dumps(GOOD | {"slot4_experimental": nothing}))
    selection.slot_models(file)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        (b"", "", "empty file"),
        (b" \n", "", "empty file"),
        (b"slot1: a", "", "expected JSON"),
        (b'{"slot1_coding": "a",\n ?}', "", "line 2"),
        (b"{} {}", "", "expected JSON"),
        (b'{"slot1_coding": "a", "slot2_general": "b", "slot1_coding": "c"}', "", "found 'slot1_coding' twice"),
        (b'{"results": {"a": {}, "b": {}, "a": {}}}', "", "found 'a' twice: remove one"),
        (b"[]", "", "found a list"),
        (b'"a"', "", "found a str"),
        (b"null", "", "found a NoneType"),
        (b"\xff\xfe{\x00}\x00", "slot1_coding", "expected a model name"),
        (b"\xff\xfe{\x00}", "", "expected UTF-16"),
        (b'{"slot1_coding": "\xe9"}', "", "expected UTF-8, found other bytes at 18: save it as UTF-8"),
        (b"[" * 100_000, "", "nested too deeply"),
        (b'{"a":' * 100_000, "", "nested too deeply"),
        (b'{"slot1_coding": ' + b"9" * 5000 + b"}", "", "digit"),
        (b'{"slot1_coding": 7}', "slot1_coding", "valid string"),
        (b'{"slot2_general": ["a"]}', "slot2_general", "valid string"),
        (b'{"slot3_backup": {"a": 1}}', "slot3_backup", "valid string"),
        (b'{"slot1_coding": true}', "slot1_coding", "valid string"),
        (b'{"slot1_coding": ""}', "slot1_coding", "expected a model name"),
        (b'{"slot1_coding": " None "}', "slot1_coding", "expected a model name"),
        (b'{"slot1_coding": ";$(reboot)"}', "slot1_coding", "not a model name"),
        (b'{"slot1_coding": "a\\nb"}', "slot1_coding", "not a model name"),
        (b'{"slot1_coding": "\\u001b[2Ja"}', "slot1_coding", "not a model name"),
        (b'{"slot1_coding": "\\ud800"}', "slot1_coding", ""),
        (b'{"slot1_coding": "' + b"x" * 300 + b'"}', "slot1_coding", "not a model name"),
        (b'{"slot1_coding": "x:120b-cloud"}', "slot1_coding", "cloud"),
        (
            b'{"slot1_codng": "a", "results": {"m": {"coding_composite": 1, "general_composite": 1}}}',
            "slot1_codng",
            "correct its spelling, or remove it",
        ),
        (b'{"slot3_coding": "a"}', "slot3_coding", "rename it, or add results"),
        (b'{"slot3_coding": "a", "results": {"m": {}}}', "slot3_coding", "rename it, or add results"),
        (b'{"slot9_x": "a"}', "slot9_x", "unknown slot key"),
        (b'{"slot1_model": "a"}', "slot1_model", "slot1_coding"),
        (b'{"Slot1_coding": "a"}', "Slot1_coding", "slot1_coding"),
        (b'{"slot\\n\\u001b[2J": "a"}', "slot", "unknown slot key"),
        (b'{"slot' + b"9" * 300 + b'": "a"}', "slot999", "unknown slot key"),
        (b'{"results": [1]}', "results", "an object with a model for each key"),
        (b'{"results": {"": {}}}', "slot1_coding", "found 0 such models"),
        (b'{"results": {"a\\nb": {}}}', "slot1_coding", "found 0 such models"),
        (b'{"results": {"\\ud800": {}}}', "slot1_coding", "found 0 such models"),
        (b'{"results": {"m": null}}', "slot1_coding", "found 0 such models"),
        (b'{"results": {"m": 7}}', "slot1_coding", "found 0 such models"),
        (b'{"all_metrics": {"m": []}}', "slot1_coding", "found 0 such models"),
        (with_results(coding_composite="0.5").encode(), "results.m.coding_composite", "valid number"),
        (with_results(coding_composite=True).encode(), "results.m.coding_composite", "valid number"),
        (with_results(coding_composite=1.5).encode(), "results.m.coding_composite", "less than or equal to 1"),
        (with_results(general_composite=1.5).encode(), "results.m.general_composite", "less than or equal to 1"),
        (with_results(coding_composite=-0.1).encode(), "results.m.coding_composite", "greater than or equal"),
        (with_results(general_composite=-0.1).encode(), "results.m.general_composite", "greater than or equal"),
        (with_results(coding_composite=10**400).encode(), "results.m.coding_composite", ""),
        (with_results(tokens_per_sec=-1).encode(), "tokens_per_sec", "greater than or equal"),
        (with_results(tokens_per_sec="fast").encode(), "tokens_per_sec", "valid number"),
        (with_results(tokens_per_sec=7).replace("7", "1e999").encode(), "tokens_per_sec", "finite"),
        (b'{"results": {"m": {}}}', "slot1_coding", "found 0 such models"),
    ],
)
def test_a_bad_file_ends_in_one_line(file: Path, content: bytes, key: str, expected: str) -> None:
    file.write_bytes(content)
    message = refused(file)
    assert key in message
    assert expected in message


def test_an_unreadable_file_ends_in_one_line(tmp_path: Path) -> None:
    assert refused(tmp_path) == "Is a directory"  # the tests may run as root, who can read every file


def test_a_dangling_link_is_not_the_absence_of_a_file(file: Path) -> None:
    """A file that is there but wrong is an error, never a silent default."""
    file.symlink_to("gone.json")
    refused(file)


@pytest.mark.parametrize("key", ["slot1_coding", "results", "note"])
def test_no_depth_of_nesting_is_a_traceback(file: Path, key: str) -> None:
    """Between the depth that the JSON reader takes and the one that Python can print there may be a gap."""
    for depth in range(850, 1010, 3):
        file.write_text(json.dumps(GOOD)[:-1] + f', "{key}": {"[" * depth}{"]" * depth}}}')
        assert complaint(selection.slot_models, file).isprintable()

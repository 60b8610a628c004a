"""An inventory of which two names are the same Ollama of one machine ends the run."""

from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.deploy import add_deploy
from pyinfra.api.exceptions import PyinfraError

from ollama_slots import deploys
from ollama_slots.run import inventory
from ollama_slots.run.inventory import declared
from tests.unit.complaint import complaint

MACHINE = {"ssh_hostname": "gpu-a.example.com"}
SAID = (
    "expected an Ollama of its own, found ollama.service on gpu-a.example.com, which is {}'s already: "
    "give one of them the ollama_unit of another Ollama there, or take it out of the inventory"
)


def test_a_deploy_ends_before_anything_is_asked_of_a_host() -> None:
    data: dict[str, Any] = {**MACHINE, "fake_responses": {}}
    names = [(f"@fake/{it}", data) for it in ("one", "two")]
    inventory = Inventory((names, {}))  # type: ignore[no-untyped-call]
    state = State(inventory, Config())  # type: ignore[no-untyped-call]
    state.init(inventory, Config())  # type: ignore[no-untyped-call]
    for host in inventory:
        state.activate_host(host)
    with pytest.raises(PyinfraError, match=r"^@fake/two: ") as refusal:
        add_deploy(state, deploys.preflight)
    assert str(refusal.value) == f"@fake/two: {SAID.format('@fake/one')}"
    assert [vars(it.connector).get("executed_commands", []) for it in inventory] == [[], []]


@pytest.mark.parametrize(("unit", "found"), [("ollama", 0), ("ollama-gpu1", 2)])
def test_a_reader_of_the_inventory_is_told_the_same(tmp_path: Path, unit: str, found: int) -> None:
    slot = {"slot1_name": "one", "slot1_num_ctx": 4096, "slot1_model": "a:1b"}
    hosts = [("one", MACHINE | slot), ("two", MACHINE | slot | {"ollama_unit": unit})]
    (tmp_path / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    if found:
        read = declared(tmp_path, "inventory.py")
        assert [it.settings.ollama_unit for it in read] == ["ollama.service", "ollama-gpu1.service"]
    else:
        assert complaint(declared, tmp_path, "inventory.py") == f"two: {SAID.format('one')}"


def test_one_that_goes_on_and_on_is_told_of_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inventory.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(inventory, "SECONDS", 1)
    line = "inventory.py: expected its hosts within 1 s, found that it goes on"
    assert complaint(declared, tmp_path, "inventory.py") == line


def test_why_pyinfra_could_not_read_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "inventory.py").write_text('hosts = ["gpu"]\n')
    (tmp_path / "group_data").mkdir()
    text = "from ollama_slots.selection import slot_models\n\nglobals().update(slot_models('none.json'))\n"
    (tmp_path / "group_data/all.py").write_text(text)
    assert "none.json: expected a selection file, found none: " in complaint(declared, tmp_path, "inventory.py")


@pytest.mark.parametrize("printed", ["reading the CMDB ...", "[gpu] read", "[1, 2]\\n[warning] slow"])
def test_an_inventory_may_print(tmp_path: Path, printed: str) -> None:
    slot = {"slot1_name": "one", "slot1_num_ctx": 4096, "slot1_model": "a:1b"}
    (tmp_path / "inventory.py").write_text(f"print('{printed}')\nhosts = {[('gpu', slot)]!r}\n")
    [it] = declared(tmp_path, "inventory.py")
    assert it.name == "gpu"

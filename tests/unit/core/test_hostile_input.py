"""Whatever a selection file, a host's data or a name says, it is taken, or refused in one line.

Every run tries the same cases (conftest.py): what fails once fails again, and is printed in its smallest form.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyinfra.api.exceptions import PyinfraError

from ollama_slots import selection
from ollama_slots.core import names
from ollama_slots.host.desired import settings_of
from tests.unit.hostile import DATA, FILES, PIECES, TEXT, said
from tests.unit.written import assert_written_as_declared

SLOTS = {"slot1_name": "a", "slot1_num_ctx": 1, "slot2_name": "b", "slot2_num_ctx": 1}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "model_selection.json"


def assert_one_line(error: Exception, start: str) -> None:
    assert str(error).startswith(start)
    assert str(error).isprintable()
    assert len(str(error)) < len(start) + 500


@settings(max_examples=2500)
@given(content=FILES)
def test_any_selection_file_gives_three_models_or_one_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        models = selection.slot_models(file)
    except PyinfraError as error:
        assert_one_line(error, f"{file}: ")
        return
    assert set(models) == {"slot1_model", "slot2_model", "slot3_model"}
    for model in models.values():
        assert_harmless(names.parse(model).short)


@settings(max_examples=3000)
@given(DATA, st.integers(0, 5))
def test_any_data_give_settings_or_one_line(data: dict[str, Any], whole: int) -> None:
    data = {key: said(value) for key, value in data.items()}
    try:
        taken = settings_of("gpu-a", SLOTS | data if whole else data)
    except PyinfraError as error:
        assert_one_line(error, "gpu-a: ")
        return
    for slot in taken.slots:
        assert_harmless(slot.name)
        assert slot.model is None or assert_harmless(slot.model)
    assert_written_as_declared(taken)


@settings(max_examples=3500)
@given(TEXT | st.text("aB0_.-:/@; \n") | st.lists(st.sampled_from([*PIECES, "x", "_"])).map("/".join))
def test_any_text_is_a_harmless_name_or_one_line(text: str) -> None:
    try:
        name = names.parse(text)
    except ValueError as error:
        assert_one_line(error, "")
        return
    for part in (name.short, name.key, *name):
        assert_harmless(part)
    assert names.parse(name.short).short == name.short


def assert_harmless(name: str) -> bool:
    """It means itself to a shell, in JSON, in a path, in a line of KEY=VALUE, and but for its dots to grep."""
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./:-]*", name)
    assert json.loads(f'"{name}"') == name
    return True

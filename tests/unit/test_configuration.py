"""The manual of the settings, the settings, and the page made of the manual say the same."""

import runpy
from pathlib import Path

import pytest

from ollama_slots.core.settings import DEFAULTS, OURS, Settings, Slot
from tests.configuration import MANUAL, PAGE, entries, page

TEXT = MANUAL.read_text(encoding="utf-8")
# pyinfra's own, and a model for each slot: which one is the user's choice, and the manual's an example.
MORE = {"ssh_strict_host_key_checking", "slot1_model", "slot2_model", "slot3_model"}


@pytest.fixture
def manual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The data that the manual gives, where there is no selection file."""
    monkeypatch.chdir(tmp_path)
    data = runpy.run_path(str(MANUAL))
    return {key: it for key, it in data.items() if not key.startswith("_") and not callable(it)}


def test_the_manual_has_every_default_as_it_is(manual: dict[str, object]) -> None:
    fields = {key: it.default for key, it in Settings.model_fields.items() if key != "slots"}
    assert {key: it for key, it in manual.items() if key not in MORE} == {**fields, **DEFAULTS}


def test_the_manual_names_every_key_of_a_slot() -> None:
    keys = {entry.key for entry in entries(TEXT) if entry.key.startswith("slotN_")}
    assert keys == {f"slotN_{it}" for it in Slot.model_fields if it not in OURS}


def test_every_setting_has_a_meaning() -> None:
    assert [it.key for it in entries(TEXT) if not it.meaning and not it.key.endswith(("_num_ctx", "_model"))] == []


def test_the_page_is_that_of_the_manual() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(TEXT), "write it anew: make pages"

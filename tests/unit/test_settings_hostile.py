import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.settings import Settings
from tests.unit.complaint import complaint

ATTRIBUTES = ["name", "model", "num_ctx", "system", "parameters", "modelfile", "number", "tagged", "x"]
OTHERS = [key for key in Settings.model_fields if key != "slots"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
KEYS = st.sampled_from([*(f"slot{n}_{it}" for n in (1, 2) for it in ATTRIBUTES), *OTHERS]) | st.text()
GOOD = {"slot1_name": "a", "slot1_num_ctx": 1, "slot2_name": "b", "slot2_num_ctx": 1}


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.booleans())
def test_any_data_end_in_settings_or_in_one_line(data: dict[str, Any], whole: bool) -> None:
    data = GOOD | data if whole else data
    if why := complaint(Settings.of, "gpu-a", data):
        assert why.startswith("gpu-a: ")
        assert why.isprintable()
        return
    for slot in Settings.of("gpu-a", data).slots:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", slot.name)
        assert slot.model is None or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./:-]*", slot.model)


@given(st.text(), st.sampled_from(["slot1_", "slot1_model", "slot"]))
def test_a_hostile_key_cannot_forge_a_line(text: str, prefix: str) -> None:
    assert complaint(Settings.of, "gpu-a", GOOD | {prefix + text: "x y"}).isprintable()


@given(st.text(min_size=61, max_size=500))
def test_a_long_value_is_cut(text: str) -> None:
    assert len(complaint(Settings.of, "gpu-a", GOOD | {"shared_base": text})) < 200

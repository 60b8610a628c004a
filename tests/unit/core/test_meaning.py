import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.core.meaning import same

KEEP, MOST = "OLLAMA_KEEP_ALIVE", "OLLAMA_MAX_LOADED_MODELS"


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        (KEEP, ["-1", "-1m", "-1s", "-2h", "-5ms", ' "-1" ', "'-1'"]),
        (KEEP, ["24h", "1440m", "86400", "86400s", "23h60m", "24h0m0s", "+24h", "24.0h", "86400000ms"]),
        (KEEP, ["90m", "1h30m", "1.5h", "5400"]),
        (KEEP, ["0", "0s", "-0", "-0m"]),
        (KEEP, ["5m", "300", "forever", "1d", "1.5", "", "5 m", "٣"]),  # what it cannot read is the default to it
        (MOST, ["5", "05", " 5", '"5"']),
        (MOST, ["0", "", "four", "-1", "1.5"]),
        ("OLLAMA_HOST", ["5"]),
    ],
)
def test_these_are_one_to_the_engine(name: str, alike: list[str]) -> None:
    assert [it for it in alike if not same(name, alike[0], it)] == []


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        (KEEP, "-1", "1"),
        (KEEP, "-1", "0"),
        (KEEP, "24h", "24m"),
        (KEEP, "24", "24h"),
        (MOST, "5", "6"),
        ("X", "5", "05"),
    ],
)
def test_these_are_two(name: str, value: str, other: str) -> None:
    assert not same(name, value, other)


@given(st.integers(1, 10**9))
def test_seconds_go_by_any_unit(seconds: int) -> None:
    hours, rest = divmod(seconds, 3600)
    for text in (f"{seconds}s", f"{seconds * 1000}ms", f"{hours}h{rest // 60}m{rest % 60}s"):
        assert same(KEEP, f"{seconds}", text)
        assert same(KEEP, f"-{text}", "-1")
        assert not same(KEEP, text, f"{seconds + 1}")

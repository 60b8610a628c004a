"""The hours of a day in which models are asked."""

import pytest

from ollama_slots.core.hours import Hours, parse


@pytest.mark.parametrize(("text", "hours"), [("02:00-05:00", ("0200", "0500")), ("22:30-00:00", ("2230", "0000"))])
def test_hours_are_from_when_until_when(text: str, hours: tuple[str, str]) -> None:
    assert parse(text) == Hours(*hours)


@pytest.mark.parametrize("text", ["", "02:00", "2:00-5:00", "02:00-02:00", "25:00-05:00", " 02:00-05:00"])
def test_what_are_none_is_told_as_it_was_written(text: str) -> None:
    with pytest.raises(ValueError, match=r'^expected from when until when, such as "02:00-05:00", found ') as why:
        parse(text)
    assert repr(text) in f"{why.value}"

import pytest

from ollama_slots.core import versions


@pytest.mark.parametrize("version", ["0.10.0", "0.16.2", "0.32.15", "0.34.4", "0.34.9-rc1", "0.40.0", "v0.40.3"])
def test_what_was_tried_is_taken_without_a_word(version: str) -> None:
    assert versions.refusal(version) is None
    assert versions.notice(version) is None


@pytest.mark.parametrize("version", ["0.9.6", "0.1.48", "0.5.0-rc1"])
def test_what_cannot_be_proven_is_refused(version: str) -> None:
    assert str(versions.refusal(version)).startswith(
        f"Ollama: expected version 0.10 to 0.34, and 0.40, found {version}"
    )
    assert versions.notice(version) is None


@pytest.mark.parametrize("version", ["0.35.0", "0.39.1", "0.41.0", "1.0.0", "0.0.0", "0.0.0-dev", "HEAD", ""])
def test_what_is_not_known_goes_the_careful_way_and_is_told(version: str) -> None:
    assert versions.refusal(version) is None
    assert "Ollama's own copy" in str(versions.notice(version))


def test_an_ollama_that_does_not_answer_has_none() -> None:
    assert versions.refusal(None) is None
    assert versions.notice(None) is None

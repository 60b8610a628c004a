"""Two runs on one host: the second one waits for the first, bounded, and says so."""

from collections.abc import Callable
from itertools import repeat
from typing import Any

import pytest

from ollama_slots.core.settings import Settings
from ollama_slots.run import session as commands
from tests.unit.deploys import AB, ALL
from tests.unit.fake import Asked, Run, answers
from tests.unit.world import World

BUSY = ["== lacks", "== busy", "the rotation of slot one, begun at 10:30:00 as process 7", "== end"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "LOOK_AGAIN_SECONDS", 0)


def host(ready: World, times: int) -> dict[str, Any]:
    """A host that another run changes for so many looks."""
    left = repeat(BUSY, times)
    return answers(ready, AB) | {"== units": Asked(lambda: next(left, None) or ready.probe())}


def loading(ready: World, times: int) -> dict[str, Any]:
    """A host whose warm-up loads for so many looks."""
    left = repeat("activating", times)

    def look() -> list[str]:
        ready.warmup["ActiveState"] = next(left, "active")
        return ready.probe()

    return answers(ready, AB) | {"== units": Asked(look)}


@pytest.mark.parametrize(
    ("busy", "who"),
    [
        (host, "the rotation of slot one, begun at 10:30:00"),
        (loading, "ollama-warmup, which loads the slots"),
    ],
)
def test_it_goes_on_when_the_other_one_is_done(
    ready: World, caplog: pytest.LogCaptureFixture, busy: Callable[[World, int], dict[str, Any]], who: str
) -> None:
    caplog.set_level("INFO")
    done = Run(ALL, AB, gpu=busy(ready, 3))
    assert (done.failed, done.changed) == (set(), {"gpu": False})
    told = [it for it in caplog.messages if f"waiting for {who}" in it]
    assert len(told) == 1


def test_a_warm_up_that_waits_for_ollama_is_not_waited_for(ready: World) -> None:
    """It is this run that has Ollama started."""
    ready.warmup["ActiveState"] = "activating"
    assert ready.found().changing == "ollama-warmup, which loads the slots"
    assert ready.found().model_copy(update={"runners": None}).changing is None


@pytest.mark.parametrize("operation", ALL)
def test_it_gives_up_in_the_end_and_says_who_holds_the_host(
    ready: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, operation: Any
) -> None:
    monkeypatch.setattr(Settings, "lock_seconds", 0)
    done = Run([operation], AB, gpu=host(ready, 10**9), other=answers(ready, AB))
    assert done.failed == {"gpu"}
    assert "waited 0 s for the rotation of slot one, begun at 10:30:00 as process 7; try again" in caplog.text
    assert ready.faults(AB) == {}

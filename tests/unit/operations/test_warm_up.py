from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest

from ollama_slots.operations import warm_up as warm_ups
from ollama_slots.operations.warm_up import proof, warm_up
from ollama_slots.run import session
from tests.unit.declared import declared
from tests.unit.deploys import AB, run
from tests.unit.fake import Asked, Run, answers, argument, parts
from tests.unit.world import World, deployed


def test_a_cold_slot_is_warmed(ready: World) -> None:
    ready.restart()
    done = run(ready, warm_up)
    assert done.changed == {"gpu": True}
    assert ready.faults(AB) == {}


@pytest.mark.parametrize(
    ("damage", "command", "asked"),
    [
        ({"UnitFileState": "disabled"}, "enable", "ollama-warmup.service"),
        ({"NeedDaemonReload": "yes"}, "reload", "yes"),
    ],
)
def test_a_warm_up_unit_that_is_not_as_it_should_be_is_put_right(
    ready: World, damage: dict[str, str], command: str, asked: str
) -> None:
    ready.warmup |= damage
    done = run(ready, warm_up)
    assert done.scripts["gpu"] == ["probe", "install+probe"]
    install, _ = parts(done.commands["gpu"][-1])
    assert argument(install, command) == asked


def test_a_warm_up_unit_that_failed_runs_again_though_every_slot_is_resident(ready: World) -> None:
    ready.warmup["ActiveState"] = "failed"
    assert "ollama-slots/warm" in run(ready, warm_up).commands["gpu"][-1]


def test_a_slot_that_is_not_resident_fails_the_proof_which_says_why(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    del ready.runners[ready.tags["b:1b"].weights]
    done = run(ready, proof)
    assert done.failed == {"gpu"}
    assert "not every slot is resident as declared: slot two: not in memory" in caplog.text


@pytest.mark.parametrize(("active", "told"), [("active", True), ("inactive", False)])
def test_why_an_active_warm_up_runs_again_is_told(
    ready: World, caplog: pytest.LogCaptureFixture, active: str, told: bool
) -> None:
    caplog.set_level("INFO")
    del ready.runners[ready.tags["b:1b"].weights]
    ready.warmup["ActiveState"] = active
    run(ready, warm_up)
    assert ("warm up again: slot two: not in memory" in caplog.text) is told


def test_a_host_that_was_changed_is_proven_by_what_it_has_then(ready: World) -> None:
    ready.warmup["ActiveState"] = "failed"
    done = run(ready, warm_up, proof)
    assert done.scripts["gpu"] == ["probe", "warm+probe"]
    ready.warmup["ActiveState"] = "failed"
    in_vain = answers(ready, AB) | {"ollama-slots/warm": Asked(ready.runners.clear)}
    assert Run([warm_up, proof], AB, gpu=in_vain).failed == {"gpu"}


@pytest.mark.parametrize(("looks", "fails"), [(2, False), (10**9, True)])
def test_a_slot_is_waited_for_bounded_to_be_shown_as_kept_for_ever(
    ready: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, looks: int, fails: bool
) -> None:
    monkeypatch.setattr(session, "LOOK_AGAIN_SECONDS", 0)
    monkeypatch.setattr(warm_ups, "SHOWN_SECONDS", 0.5 if fails else 60)
    weights, left = ready.tags["b:1b"].weights, repeat("2026-01-15T10:35:00Z", looks)
    hot = ready.runners[weights]

    def look() -> list[str]:
        ready.runners[weights] = replace(hot, until=next(left, hot.until))
        return ready.probe()

    alone = AB.model_copy(update={"watch": "off"})
    done = Run([proof], alone, gpu=answers(ready, alone) | {"== units": Asked(look)})
    assert done.failed == ({"gpu"} if fails else set())
    assert ("slot two: expires at" in caplog.text) is fails


@pytest.mark.parametrize(
    ("require_gpu", "has_gpu", "fails"),
    [("auto", True, True), ("auto", False, False), (True, False, True), (False, True, False)],
)
def test_gpu_memory_is_required_as_declared(require_gpu: Any, has_gpu: bool, fails: bool) -> None:
    settings = declared("a:1b", require_gpu=require_gpu)
    world = deployed(settings, World(gpu=(24000, 20000) if has_gpu else None))
    for weights, runner in world.runners.items():
        world.runners[weights] = replace(runner, in_gpu=0.5)
    assert bool(Run([proof], settings, gpu=answers(world, settings)).failed) is fails

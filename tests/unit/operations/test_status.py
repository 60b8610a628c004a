import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.context import ctx_host

from ollama_slots.core import status as drift
from ollama_slots.core.plan import questions
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.facts import SlotStatus
from ollama_slots.host import render
from ollama_slots.operations.models import models
from ollama_slots.operations.service import service
from ollama_slots.operations.status import status
from ollama_slots.operations.warm_up import proof, warm_up
from tests.unit.declared import declared
from tests.unit.deploys import AB, ALL, run
from tests.unit.fake import Run, answers
from tests.unit.world import World

DAMAGE: dict[str, Callable[[World], Any]] = {
    "nothing": lambda _: None,
    "cold": World.restart,
    "changed by hand": lambda it: it.create("two:latest", "FROM a:1b\nPARAMETER num_ctx 512\n"),
    "state gone": lambda it: it.states.pop("two"),
    "base gone": lambda it: it.tags.pop("b:1b"),
    "drop-in gone": lambda it: it.files.pop(next(path for path in it.files if path.endswith(".conf"))),
    "process without environment": lambda it: setattr(it, "most", 3),
    "Ollama disabled": lambda it: it.service.update(UnitFileState="disabled"),
    "Ollama masked": lambda it: it.service.update(LoadState="masked"),
    "warm-up failed": lambda it: it.warmup.update(ActiveState="failed"),
    "warm-up disabled": lambda it: it.warmup.update(UnitFileState="disabled"),
    "unit changed on the disk": lambda it: it.warmup.update(NeedDaemonReload="yes"),
    "rotation cut off": lambda it: it.create("one:current", "FROM b:1b\nPARAMETER num_ctx 512\n"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_it_fails_a_host_where_and_only_where_a_deploy_would_change_or_refuse(ready: World, what: str) -> None:
    DAMAGE[what](ready)
    before = ready.probe()
    done = run(ready, status)
    assert ready.probe() == before
    assert len(done.commands["gpu"]) <= 2
    assert all("== units" in it or "== show" in it for it in done.commands["gpu"])
    would = [Run([it], AB, dry=True, gpu=answers(ready, AB)).changed["gpu"] for it in (service, models, warm_up)]
    assert bool(done.failed) is any(would)
    assert bool(done.failed) is (what != "nothing")


def test_a_host_that_is_as_declared_is_read_once_and_shown(ready: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    done = run(ready, status)
    assert done.failed == set()
    assert done.changed == {"gpu": False}
    assert len(done.commands["gpu"]) == 1
    assert [it.split()[-1] for it in caplog.messages if it.startswith("    @fake/gpu")] == ["yes", "yes"]


def test_each_difference_is_a_line_with_its_host_and_the_table_comes_last(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    cold = World()
    run(cold, *ALL)
    cold.restart()
    cold.warmup["UnitFileState"] = "disabled"
    caplog.clear()
    done = Run([status], AB, warm=answers(ready, AB), cold=answers(cold, AB), bad={"== units": ["nonsense"]})
    assert done.failed == {"cold", "bad"}
    lines = [
        " ".join(it.split()) for it in caplog.messages if "expected" in it or "Slots" in it or "unknown" in it
    ]
    assert sorted(lines[:-1]) == [
        "[@fake/bad] FactProcessError: what the host printed cannot be read: "
        "expected the output of a script, found nonsense",
        "[@fake/bad] the host could not be read, so its slots are unknown; see the message above",
        "[@fake/cold] ollama-warmup.service: expected enabled, found disabled",
        "[@fake/cold] slot one: expected resident as declared, found not in memory",
        "[@fake/cold] slot two: expected resident as declared, found not in memory",
    ]
    assert lines[-1] == "--> Slots:"
    rows = [it.split() for it in caplog.messages if it.startswith("    @fake/")]
    assert [(row[0], row[-1]) for row in rows] == [
        ("@fake/warm", "yes"),
        ("@fake/warm", "yes"),
        ("@fake/cold", "memory"),
        ("@fake/cold", "memory"),
        ("@fake/bad", "above"),
    ]


def test_a_slot_that_is_resident_and_differs_is_not_shown_as_if_all_were_well(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a rollback to the same model with another window, before the data follow."""
    caplog.set_level("INFO")
    other = declared("a:1b", "b:1b", max_loaded_models=9, slot2_system="Be brief.")
    for which in (status, proof):
        caplog.clear()
        Run([which], other, gpu=answers(ready, other))
        rows = [it.rpartition("  ")[2] for it in caplog.messages if it.startswith("    @fake/")]
        assert rows == ["yes", "yes, not as declared"]


def test_a_slot_whose_weights_another_name_loaded_is_shown_with_its_runner(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A colleague's own model on the same weights, with the same window."""
    caplog.set_level("INFO")
    ready.create("mine:latest", "FROM a:1b\nPARAMETER num_ctx 4096\nSYSTEM hi\n")
    weights, mine = ready.tags["a:1b"].weights, ready.tags["mine:latest"]
    ready.runners[weights] = replace(ready.runners[weights], name="mine:latest", digest=mine.digest)
    for which in (status, proof):
        caplog.clear()
        run(ready, which)
        row, _ = (it.split() for it in caplog.messages if it.startswith("    @fake/"))
        assert row[-3:] == ["4096", "1.00", "yes"]


def test_a_dry_run_tells_of_the_differences_too(ready: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    ready.warmup["ActiveState"] = "failed"
    done = Run([status], AB, dry=True, gpu=answers(ready, AB))
    assert done.changed == {"gpu": True}
    assert "ollama-warmup.service: expected active, found failed" in caplog.text


def test_models_that_stop_being_told_of_are_no_pass(ready: World) -> None:
    ready.restart()
    done = Run([status], AB, gpu=answers(ready, AB) | {"== show": {"success": False}})
    assert done.failed == {"gpu"}


def test_programs_get_it_as_json(ready: World) -> None:
    settings = declared("a:1b", "b:1b", "none", max_loaded_models=9)
    del ready.runners[ready.tags["b:1b"].weights]
    found = ready.found()
    seen = drift.status(
        Snapshot(settings, found, ready.details(questions(settings, found))), render.rendered(settings, found)
    )
    told = json.loads(json.dumps(seen.to_json()))
    assert told["slots"] == [
        {"slot": 1, "name": "one", "model": "a:1b", "context": 4096, "gpu_bytes": 10**9, "resident": True}
        | {"as_declared": True},
        {"slot": 2, "name": "two", "model": "b:1b", "context": None, "gpu_bytes": None, "resident": False}
        | {"as_declared": False},
    ]
    assert {
        "what": "slot two",
        "wanted": "resident as declared",
        "found": "not in memory",
    } in told["differences"]


def test_wrong_data_end_the_command_for_programs_with_one_line(ready: World) -> None:
    done = run(ready, status)
    [host] = done.state.inventory
    host.data.load_seconds = 0
    with ctx_host.use(host), pytest.raises(SystemExit, match=r"^@fake/gpu: load_seconds: "):
        SlotStatus().command()


def test_a_run_that_ends_with_two_tasks_has_a_table_of_each(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    Run([proof, status], AB, left=answers(ready, AB), right=answers(ready, AB))
    assert [it.split()[0] for it in caplog.messages if it.startswith(("--> Slots", "    @fake/"))] == [
        "-->",
        *["@fake/left"] * 2,
        *["@fake/right"] * 2,
    ] * 2

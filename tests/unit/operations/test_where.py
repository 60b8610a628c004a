"""Where Ollama is asked: as given, else where its process listens; and what is said where it does not answer."""

from __future__ import annotations

import pytest

from ollama_slots.core import status as drift
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.host import render
from ollama_slots.operations.models import models
from ollama_slots.operations.service import service
from ollama_slots.operations.status import status
from ollama_slots.operations.warm_up import warm_up
from tests.unit import paths
from tests.unit.declared import declared
from tests.unit.deploys import AB, ALL, run
from tests.unit.fake import Asked, Run, answers, argument, parts
from tests.unit.world import URL, World

LAN = "http://10.79.0.11:8080"
GIVEN = declared("a:1b", "b:1b", max_loaded_models=9, ollama_url=URL)


def test_all_that_is_asked_after_the_probe_is_asked_where_it_listens() -> None:
    world = World(most=3, listens=LAN)
    done = run(world, *ALL)
    assert done.failed == set()
    asked = {it.split()[0]: argument(it, "url") for command in done.commands["gpu"] for it in parts(command)}
    which = {"ollama-slots/pull", "ollama-slots/rotate", "ollama-slots/warm"}
    assert {asked[it] for it in which} == {LAN}
    assert run(world, *ALL).changed == {"gpu": False}
    assert not run(world, status).failed


def test_an_ollama_that_moved_has_the_warm_up_follow(ready: World) -> None:
    ready.listens = LAN
    told = {it.what for it in drift.warm_up(ready.found(), render.warm_up(AB, ready.found()))}
    assert told == {paths.WARM_UP_UNIT, paths.WARM_UP_SCRIPT}
    run(ready, warm_up)
    assert drift.warm_up(ready.found(), render.warm_up(AB, ready.found())) == []


@pytest.mark.parametrize("moved", [True, False])
def test_a_warm_up_that_waits_for_ollama_where_it_was_is_not_waited_for(ready: World, moved: bool) -> None:
    ready.warmup["ActiveState"] = "activating"
    ready.listens = LAN if moved else URL
    assert (ready.found().changing is None) is moved


def test_a_given_address_and_another_at_which_it_listens_are_both_named(caplog: pytest.LogCaptureFixture) -> None:
    world = World(listens=LAN, given=URL)
    for operation in (models, status):
        caplog.clear()
        assert Run([operation], GIVEN, gpu={"== units": Asked(world.silent)}).failed == {"gpu"}
        assert f"at {URL}, the ollama_url (its process listens at {LAN})" in caplog.text


def test_where_it_does_not_run_its_address_is_unknown_and_its_files_are_not_told_to_differ(ready: World) -> None:
    ready.listens, ready.service["MainPID"] = "", "0"
    found = ready.found()
    assert (found.url, found.at, found.where) == (None, None, "")
    differences = [it.what for it in drift.status(Snapshot(AB, found), render.rendered(AB, found)).differences]
    assert paths.WARM_UP_UNIT not in differences
    assert paths.WARM_UP_SCRIPT not in differences


def test_the_warm_up_alone_starts_ollama_to_know_where_it_is(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ready.restart()
    ready.listens, ready.service["MainPID"] = "", "0"

    def start() -> list[str]:
        ready.listens, ready.service["MainPID"] = LAN, "42"
        return []

    done = Run([warm_up], AB, gpu=answers(ready, AB) | {"verb=start": Asked(start)})
    assert done.failed == set()
    assert "start Ollama: it is not running" in caplog.text
    assert ready.faults(AB) == {}
    assert drift.warm_up(ready.found(), render.warm_up(AB, ready.found())) == []


def test_an_ollama_that_runs_and_listens_nowhere_is_waited_for(ready: World) -> None:
    ready.listens = ""
    probe = ready.silent()
    failing = {"== units": Asked(lambda: probe), "verb=start": {"success": False}}
    done = Run([service], AB, gpu=answers(ready, AB) | failing)
    assert done.failed == {"gpu"}
    assert "verb=start" in done.commands["gpu"][-1]

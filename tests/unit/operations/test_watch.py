"""The watch as a deploy has it: installed beside the warm-up, and gone where it is declared off."""

from __future__ import annotations

import pytest

from ollama_slots.core import status as drift
from ollama_slots.core.settings import Settings
from ollama_slots.host import render, scripts
from ollama_slots.operations.warm_up import warm_up
from tests.unit.declared import declared
from tests.unit.deploys import AB
from tests.unit.fake import Run, answers, argument, listed, parts
from tests.unit.world import World

OFF = declared("a:1b", "b:1b", max_loaded_models=9, watch="off")
FILES = {scripts.path(it) for it in ("watch_script", "watch_unit", "heal_unit", "watch_timer_unit")}


def run(world: World, settings: Settings = AB) -> Run:
    done = Run([warm_up], settings, gpu=answers(world, settings))
    assert done.failed == set()
    return done


def told(world: World, settings: Settings = AB) -> list[str]:
    found = world.found()
    return [str(it) for it in drift.watch(settings, found, render.watch(settings, found))]


def test_it_is_installed_and_its_timer_started_in_one_command(ready: World) -> None:
    ready.watch = {"LoadState": "not-found"}
    for path in FILES:
        del ready.files[path]
    assert len(told(ready)) == 2 + len(FILES)
    taken = run(ready)
    install, watching, _, _ = parts(taken.commands["gpu"][-1])
    assert set(listed(install)[0::3]) == FILES
    assert (argument(install, "reload"), argument(install, "enable")) == ("yes", "ollama-slots-watch.timer")
    assert argument(watching, "verb") == "start"
    assert taken.scripts["gpu"][-1] == "install+watching+looking+probe"
    assert told(ready) == []
    assert run(ready).changed == {"gpu": False}


@pytest.mark.parametrize(
    ("state", "scripts_run", "line"),
    [
        ("ActiveState", "watching+looking+probe", "ollama-slots-watch.timer: expected active, found inactive"),
        ("UnitFileState", "install+probe", "ollama-slots-watch.timer: expected enabled, found inactive"),
    ],
)
def test_a_timer_that_is_not_as_it_should_be_is_put_right(
    ready: World, state: str, scripts_run: str, line: str
) -> None:
    ready.watch[state] = "inactive"
    assert told(ready) == [line]
    assert run(ready).scripts["gpu"] == ["probe", scripts_run]


def test_another_interval_is_no_reason_to_warm_up_again(ready: World) -> None:
    other = declared("a:1b", "b:1b", max_loaded_models=9, watch_seconds=5)
    assert run(ready, other).scripts["gpu"] == ["probe", "install+watching+looking+probe"]
    assert told(ready, other) == []


def test_a_watch_that_cannot_look_is_told_of_and_has_to_look_again(ready: World) -> None:
    ready.looked = "failed"
    assert told(ready) == [
        "ollama-slots-watch.service: expected looks that succeed, found one that failed: "
        "journalctl -u ollama-slots-watch.service"
    ]
    assert run(ready).scripts["gpu"] == ["probe", "looking+probe"]
    assert told(ready) == []
    ready.looked = "failed"
    assert "watching+probe" not in run(ready, declared("a:1b", "b:1b", max_loaded_models=9, watch="off")).scripts


def test_where_it_is_off_nothing_of_it_is_left(ready: World) -> None:
    assert told(ready, OFF) == [
        '/etc/systemd/system/ollama-slots-heal.service: expected nothing of it, by watch = "off", found the watch'
    ]
    assert run(ready, OFF).scripts["gpu"] == ["probe", "watching+probe"]
    assert not FILES & ready.files.keys()
    assert told(ready, OFF) == []
    assert run(ready, OFF).changed == {"gpu": False}

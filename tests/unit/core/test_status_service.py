"""What a status tells of beside the slots: the two units, their files, and the environment of Ollama's process."""

import pytest

from ollama_slots.core import status as drift
from ollama_slots.core.observed import Observed
from ollama_slots.host import render
from tests.unit import paths
from tests.unit.deploys import AB
from tests.unit.world import World

UNITS: dict[str, tuple[dict[str, str], dict[str, str], list[str]]] = {
    "no Ollama": ({"LoadState": "not-found"}, {}, ["ollama.service: expected loaded, found not-found"]),
    "Ollama disabled": ({"UnitFileState": "disabled"}, {}, ["ollama.service: expected enabled, found disabled"]),
    "Ollama static": ({"UnitFileState": "static"}, {}, []),
    "file changed since": (
        {"NeedDaemonReload": "yes"},
        {},
        ["ollama.service: expected unit files as systemd has read them, found changed ones"],
    ),
    "warm-up disabled": (
        {},
        {"UnitFileState": "disabled"},
        ["ollama-warmup.service: expected enabled, found disabled"],
    ),
    "warm-up failed": ({}, {"ActiveState": "failed"}, ["ollama-warmup.service: expected active, found failed"]),
    "no warm-up": (
        {},
        {"ActiveState": "inactive", "UnitFileState": ""},
        [
            "ollama-warmup.service: expected enabled, found nothing",
            "ollama-warmup.service: expected active, found inactive",
        ],
    ),
}


def around(found: Observed) -> list[str]:
    """What there is to tell beside the slots."""
    return [
        str(it)
        for it in [
            *drift.service(AB, found, render.service(AB)),
            *drift.warm_up(found, render.warm_up(AB, found)),
            *drift.watch(AB, found, render.watch(AB, found)),
        ]
    ]


@pytest.mark.parametrize("what", UNITS)
def test_a_unit_that_is_not_as_it_should_be_is_told_of(ready: World, what: str) -> None:
    ollama, warm_up, lines = UNITS[what]
    ready.service |= ollama
    ready.warmup |= warm_up
    assert around(ready.found()) == lines


def test_what_keeps_a_variable_from_being_as_declared_is_told_of(ready: World) -> None:
    ready.settings = ["/etc/a.conf:1:", "/x/ollama.service.d/zzz.conf:1:[Service]"]
    ready.settings += [
        "/x/ollama.service.d/zzz.conf:2:EnvironmentFile=/etc/own",
        "/etc/own:7:OLLAMA_KEEP_ALIVE=24h",
    ]
    assert around(ready.found()) == [
        "/etc/own:7: expected OLLAMA_KEEP_ALIVE=-1 to hold, found that it sets OLLAMA_KEEP_ALIVE=24h"
    ]


def test_the_drop_in_of_earlier_deploys_is_told_of(ready: World) -> None:
    ready.files[paths.OUTDATED] = "0" * 64
    assert around(ready.found()) == [
        f"{paths.OUTDATED}: expected no such file, found the file of an earlier version"
    ]


@pytest.mark.parametrize("path", [paths.ENVIRONMENT, paths.DROP_IN, paths.WARM_UP_SCRIPT, paths.WARM_UP_UNIT])
def test_a_file_that_is_not_as_declared_is_told_of(ready: World, path: str) -> None:
    ready.files[path] = "0" * 64
    assert around(ready.found()) == [f"{path}: expected content as declared, found other content"]
    del ready.files[path]
    assert around(ready.found()) == [f"{path}: expected content as declared, found no such file"]


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"OLLAMA_KEEP_ALIVE": "5m"}, "OLLAMA_KEEP_ALIVE=5m"),
        ({}, "none"),
        (None, "no process"),
    ],
)
def test_a_process_without_the_environment_is_told_of(
    ready: World, environ: dict[str, str] | None, found: str
) -> None:
    seen = ready.found().model_copy(update={"environ": environ})
    assert around(seen)[0] == f"Ollama's process: expected OLLAMA_KEEP_ALIVE=-1, found {found}"

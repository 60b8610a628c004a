"""core/places.py: an Ollama in a container, or with models that root does not see, is told in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ollama_slots.core import places
from ollama_slots.core.observed import Listed, Models, Observed
from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.prune import prune
from ollama_slots.operations.rollback import rollback
from ollama_slots.operations.service import service
from ollama_slots.operations.status import status
from ollama_slots.operations.warm_up import warm_up
from tests.unit.declared import declared
from tests.unit.deploys import AB, run
from tests.unit.fake import Run, answers
from tests.unit.world import World

KEYS = ("registry.ollama.ai/library/a:1b", "hub:5000/me/b:1b", "registry.ollama.ai/library/c:1b")
LISTED = {key: Listed(name=key.rpartition("/")[2], digest="d", size=1) for key in KEYS}
WHERE = "/srv/m (to root /proc/7/root/srv/m)"


def found(version: str = "0.34.4", listed: dict[str, Listed] | None = LISTED, **store: Any) -> Observed:
    said = {"models": "/srv/m", "path": "/proc/7/root/srv/m", "may": "write", "names": frozenset(KEYS)} | store
    where = {"url": "http://127.0.0.1:1", "listens": "http://127.0.0.1:1"}
    return Observed(version=version, listed=listed, store=Models(**said), **where)


def test_a_store_that_is_what_ollama_lists_is_no_trouble() -> None:
    assert places.refusals(AB, found()) == []
    assert places.refusals(AB, found(listed={})) == []
    assert places.refusals(AB, found(names=frozenset([*KEYS, "registry.ollama.ai/library/damaged:1b"]))) == []


@pytest.mark.parametrize("listed", [None, LISTED])
def test_what_is_not_known_is_no_trouble(listed: dict[str, Listed] | None) -> None:
    assert places.refusals(AB, found(listed=None, may="nothing")) == []
    assert places.refusals(AB, Observed(version="0.34.4", listed=listed)) == []


def test_names_that_are_not_in_the_store_are_told_with_both_paths() -> None:
    [line] = places.refusals(AB, found(names=frozenset(KEYS[2:])))
    assert line == (
        f"Ollama's models: expected what Ollama lists at http://127.0.0.1:1 in {WHERE}, found no a:1b and 1 more "
        "there: have Ollama and root see one directory, then deploy again; nothing was changed"
    )
    [line] = places.refusals(AB, found(names=frozenset(KEYS[1:])))
    assert "found no a:1b there: " in line


def test_of_an_unknown_version_it_is_not_known_where_names_are() -> None:
    for version in ("0.36.0", "0.41.1", "0.0.0"):
        assert places.refusals(AB, found(version, names=frozenset())) == []
    assert len(places.refusals(AB, found("0.40.2", names=frozenset()))) == 1


def test_a_store_of_which_ollama_lists_nothing_is_told() -> None:
    [line] = places.refusals(AB, found(listed={}, whole=True))
    assert line == (
        f"Ollama's models: expected that Ollama lists at http://127.0.0.1:1 what is in {WHERE}, found that it "
        "lists nothing: have it see that directory, and its user read it, then deploy again; nothing was changed"
    )


def test_a_store_that_root_does_not_get_to_is_told_whatever_the_version() -> None:
    for version in ("0.34.4", "0.41.0"):
        [line] = places.refusals(AB, found(version, may="nothing"))
        assert line == (
            f"Ollama's models: expected that root reads and writes Ollama's models, found that it does not get to "
            f"{WHERE}: let it (NFS: no_root_squash), then deploy again; nothing was changed"
        )


def test_a_store_that_root_cannot_write_is_told_where_root_has_to() -> None:
    """From 0.40 on Ollama itself moves the names; what comes from a mirror, root puts there."""
    mirrored = declared("a:1b", model_registry="http://mirror:5080")
    for settings, version, told in ((AB, "0.34.4", 1), (AB, "0.40.0", 0), (mirrored, "0.40.0", 1)):
        lines = places.refusals(settings, found(version, may="read"))
        assert len(lines) == told
        assert all(f"found that it cannot write to {WHERE}: have it mounted read-write" in it for it in lines)


STARTS = {
    "/usr/bin/docker": "{ path=/usr/bin/docker ; argv[]=/usr/bin/docker run --rm ollama/ollama ; flags= }",
    "docker run": "{ path=/bin/sh ; argv[]=/bin/sh -c exec docker run --rm ollama/ollama ; }",
    "docker-compose up": "{ path=/bin/sh ; argv[]=/bin/sh -c docker-compose -f /opt/ollama.yml up -d ; }",
    "podman-compose up": "{ path=/usr/bin/env ; argv[]=/usr/bin/env podman-compose up ; }",
    "podman start": "{ path=/bin/bash ; argv[]=/bin/bash -c podman --log-level error --remote start ollama ; }",
    "docker exec": "{ path=/bin/sh ; argv[]=/bin/sh -c docker -H tcp://10.0.0.1:2375 exec ollama serve ; }",
    "/usr/bin/podman": "{ path=/usr/bin/podman ; argv[]=/usr/bin/podman run ollama ; }",
}


@pytest.mark.parametrize("program", STARTS)
def test_a_container_is_told_by_what_the_unit_starts(program: str) -> None:
    seen = Observed(units={"ollama.service": {"ExecStart": STARTS[program]}})
    assert places.refusals(AB, seen) == [
        "Ollama: expected that it runs on the host itself, found it in a container (ollama.service has "
        f"{program}): install Ollama on the host, so that ollama.service runs ollama serve, then deploy again; "
        "nothing was changed"
    ]


def test_a_container_is_told_by_the_process_that_serves() -> None:
    [line] = places.refusals(AB, Observed(container="/usr/bin/ollama"))
    assert "found it in a container (ollama.service has another root than the host's): " in line
    [line] = places.refusals(AB, Observed(container="/usr/bin/conmon"))
    assert "found it in a container (ollama.service has /usr/bin/conmon): " in line


@pytest.mark.parametrize(
    "arguments",
    [
        "/usr/local/bin/ollama serve --note path=/usr/bin/docker",
        "/bin/sh -c docker stop ollama; ollama serve && run",
        "/bin/sh -c docker -H unix:///run/x.sock stop ollama; run up",
        "/bin/sh -c docker-compose down; exec ollama serve",
    ],
)
def test_what_only_speaks_of_containers_is_none(arguments: str) -> None:
    start = f"{{ path={arguments.split(maxsplit=1)[0]} ; argv[]={arguments} ; }}"
    assert places.refusals(AB, Observed(units={"ollama.service": {"ExecStart": start}})) == []


@pytest.mark.parametrize("operation", [preflight, service, models, warm_up, prune, rollback, status])
def test_every_operation_refuses_a_container_before_anything(
    ready: World, operation: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ready.service["ExecStart"] = STARTS["/usr/bin/docker"]
    done = run(ready, operation)
    assert done.failed == {"gpu"}
    assert len(done.commands["gpu"]) == 1
    assert "found it in a container (ollama.service has /usr/bin/docker)" in caplog.text


def test_one_that_does_not_run_is_refused_before_it_is_started(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.service |= {"ExecStart": STARTS["/usr/bin/docker"], "MainPID": "0"}
    done = run(world, service)
    assert done.failed == {"gpu"}
    assert len(done.commands["gpu"]) == 1
    assert "install Ollama on the host" in caplog.text


@pytest.mark.parametrize("operation", [preflight, models, prune, rollback, status])
def test_every_operation_refuses_a_store_that_root_cannot_use(
    ready: World, operation: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ready.may = "nothing"
    done = run(ready, operation)
    assert done.failed == {"gpu"}
    assert len(done.commands["gpu"]) == 1
    assert "found that it does not get to /models (to root /models)" in caplog.text


@pytest.mark.parametrize(("in_gpu", "asked"), [(1.0, True), (0.0, False)])
def test_the_driver_is_asked_before_a_restart_that_would_lose_what_is_in_gpu_memory(
    ready: World, in_gpu: float, asked: bool
) -> None:
    ready.most = 3
    ready.runners = {weights: replace(it, in_gpu=in_gpu) for weights, it in ready.runners.items()}
    done = Run([service], AB, gpu=answers(ready, AB))
    [restart] = [it for it in done.commands["gpu"] if "verb=restart" in it]
    assert ("driver_seconds=10" in restart) is asked


def test_an_owners_drop_in_of_the_warm_up_is_no_drift(ready: World) -> None:
    ready.warmup["DropInPaths"] = "/etc/systemd/system/ollama-warmup.service.d/lxc.conf"
    for operation in (status, preflight, models):
        done = run(ready, operation)
        assert (done.failed, done.changed) == (set(), {"gpu": False})

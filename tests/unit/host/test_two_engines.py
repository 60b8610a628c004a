"""Two Ollamas on one host: what is ours of each is apart, and neither counts the other's processes."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ollama_slots.core import units
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Pull, Remove
from ollama_slots.host import calls, render, scripts
from ollama_slots.host.probe import parse_probe
from ollama_slots.run.inventory import Declared
from ollama_slots.verify.look import Look
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, two_engines
from tests.unit.host.slots import holds, memory, pulled, weights
from tests.unit.world import deployed
from tests.unit.written import warm_up_files

A, B = weights("a:1b"), weights("b:1b")
OTHER = "ollama-gpu1.service"
AS_EVER = {
    "warm_up": "ollama-warmup.service",
    "state_dir": "/var/lib/ollama-slots",
    "previous_states": "/var/lib/ollama-slots/previous",
    "bases": "/var/lib/ollama-slots/bases",
    "unfinished": "/var/lib/ollama-slots/unfinished",
    "modelfiles": "/etc/ollama/modelfiles",
    "previous_modelfiles": "/etc/ollama/modelfiles/previous",
    "lock": "/run/ollama-slots.lock",
    "fetch_lock": "/run/ollama-slots-fetch.lock",
    "candidates": "/run/ollama-slots",
    "restarted": "/run/ollama-warmup.restarted",
    "environment_file": "/etc/ollama/ollama-slots.env",
    "drop_in": "/etc/systemd/system/ollama.service.d/zz-ollama-slots.conf",
    "outdated_drop_in": "/etc/systemd/system/ollama.service.d/ollama-slots.conf",
    "warm_up_unit": "/etc/systemd/system/ollama-warmup.service",
    "warm_up_script": "/usr/local/lib/ollama-slots/ollama-warmup.sh",
    "started": "/run/systemd/units/invocation:ollama.service",
}
# The host's own, and a lock that both have to take.
OF_THE_SYSTEM = {"system_units", "runtime_units", "invocations", "proc", "own_process", "kfd", "memory_disk"}
SHARED = {"root", "fetch_lock", *OF_THE_SYSTEM}


def test_the_usual_unit_has_the_paths_that_it_always_had() -> None:
    assert {name: scripts.path(name) for name in AS_EVER} == AS_EVER


@pytest.mark.parametrize(("one", "other"), [("ollama", "ollama-gpu1"), ("ollama@1", "ollama-1")])
def test_nothing_that_is_ours_of_one_is_in_the_place_of_the_other_s(one: str, other: str) -> None:
    mine, theirs = (scripts.paths(unit=f"{it}.service") for it in (one, other))
    assert {it for it in mine if mine[it] == theirs[it]} == SHARED
    of_both = [declared("a:1b", ollama_unit=it) for it in (one, other)]
    files = [render.service(it).files | warm_up_files(it) for it in of_both]
    assert len(files[0].keys() | files[1].keys()) == 8
    directories = [
        re.findall("^StateDirectory=(.+)$", "".join(it for _, it in files[n].values()), re.M) for n in (0, 1)
    ]
    assert directories[0] != directories[1]


def test_the_files_of_a_unit_name_it_and_its_own() -> None:
    settings = declared("a:1b", ollama_unit="ollama@1")
    files = render.service(settings).files | warm_up_files(settings)
    unit = files["/etc/systemd/system/ollama--1-warmup.service"][1]
    for line in ("After", "Requires", "PartOf", "WantedBy"):
        assert f"\n{line}=ollama@1.service\n" in unit
    assert "\nExecStart=/usr/local/lib/ollama-slots/ollama--1-warmup.sh\n" in unit
    assert "\nStateDirectory=ollama--1-warmup\n" in unit
    drop_in = files["/etc/systemd/system/ollama@1.service.d/zz-ollama-slots.conf"][1]
    assert "\nEnvironmentFile=-/etc/ollama--1/ollama-slots.env\n" in drop_in
    assert "/etc/ollama--1/ollama-slots.env" in files
    assert "ollama.service" not in unit + drop_in


def test_every_command_that_knows_of_a_unit_is_told_which() -> None:
    settings, url = declared("a:1b", ollama_unit=OTHER), "http://127.0.0.1:1"
    pull = Pull("a:1b", ())
    asking = calls.Asking("", 1, polite=True, turn=1)
    tried = calls.Trial("a:1b", "x", "v", "w", 4096, whole=False, needs="", most=2, stay="1", makes_way=False)
    told = [
        calls.probe(settings),
        calls.details(url, []),
        calls.stored(),
        calls.speed(url, 1),
        calls.questions(settings, url, "one", "v", needs_gpu=False, asking=asking),
        calls.trial(settings, url, tried, needs_gpu=False, asking=asking),
        calls.candidate("remove", settings, url, "x"),
        calls.await_("start", settings),
        calls.warm(settings, url, needs_gpu=True),
        calls.watching("end"),
        calls.looking(),
        calls.pull(pull, settings, url),
        calls.fetch(pull, settings, url, url),
        calls.remove(Remove("x"), settings, url),
        rotation(settings, url),
    ]
    for it in told:
        assert r"unit=ollama-gpu1.service\nstem=ollama-gpu1\n" in f"{scripts.command(it, unit=OTHER)}"
    assert len(told) == len(scripts.every()) - 1, "install is told every path"


def rotation(settings: Settings, url: str) -> Any:
    world = deployed(declared("b:1b"))
    world.pull("a:1b")
    [step] = world.plan(declared("a:1b"))
    return calls.rotate(step, settings, url, needs_gpu=False)  # type: ignore[arg-type]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[DirectoryHost, DirectoryHost]]:
    """Each has its slot ``one``, of the same weights, in memory."""
    with two_engines(tmp_path / "host", OTHER) as (one, other):
        for it in (one, other):
            holds(it, "one", "a:1b")
        yield one, other


def of(host: DirectoryHost, *models: str, **data: Any) -> Settings:
    return declared(*models, ollama_unit=host.unit, **data)


def test_each_is_asked_where_it_listens_itself(both: tuple[DirectoryHost, DirectoryHost]) -> None:
    assert both[0].engine.url != both[1].engine.url
    for it in both:
        found = it.found(of(it, "a:1b"))
        assert (found.url, found.unit) == (it.engine.url, it.unit)
        assert found.service["MainPID"] == str(it.main)
        assert found.warm_up["ActiveState"] == "active"
        assert list(found.states) == ["one"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_runner_of_the_other_is_no_proof_of_life(both: tuple[DirectoryHost, DirectoryHost], which: int) -> None:
    it = both[which]
    assert it.found(of(it, "a:1b")).live == {A}
    it.engine.runners.dies(A)
    assert it.found(of(it, "a:1b")).live == frozenset()
    init = it.proc.path / "1"
    init.mkdir()
    (init / "status").write_text("Name:\tsystemd\nPid:\t1\nPPid:\t0\n")
    it.stop_engine()
    assert it.found(of(it, "a:1b")).live == frozenset(), "nothing is below no process"


def test_a_runner_of_no_unit_is_none_of_ours(both: tuple[DirectoryHost, DirectoryHost]) -> None:
    both[0].proc.start("/usr/lib/ollama/runner", "--model", f"sha256-{B}")  # in a container
    assert both[0].found(of(both[0], "a:1b")).live == {A}


@pytest.mark.parametrize("which", [0, 1])
def test_an_unload_does_not_wait_for_the_other_s_runner(
    both: tuple[DirectoryHost, DirectoryHost], which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, requests = both[which], list[Any]()
    generate = it.engine.generate

    def heard(asked: dict[str, Any]) -> dict[str, Any]:
        requests.append(asked)
        return generate(asked)

    monkeypatch.setattr(it.engine, "generate", heard)
    done = it.run("remove", unloaded="one:latest", url=it.engine.url, lock_seconds=1)
    assert (done.code, done.err) == (0, "")
    assert (memory(it), memory(both[1 - which])) == (set(), {A})
    assert len(requests) == 1, "it is made until the process is gone"


def test_each_is_deployed_warmed_and_measured_beside_the_other(both: tuple[DirectoryHost, DirectoryHost]) -> None:
    one, other = both
    for it in both:
        pulled(it, "b:1b")
    before = one.picture()
    other.deploy(of(other, "b:1b"))
    assert one.picture() == before
    for it in both:
        it.install_warm_up(of(it, "a:1b"))
        assert it.warm_up().code == 0
    assert (memory(one), memory(other)) == ({A}, {B})
    assert other.faults(of(other, "b:1b")) == {}
    series = [
        (it.name, tuple(sorted(it.labels.items())))
        for host in both
        for family in text_string_to_metric_families(host.metrics.read_text())
        for it in family.samples
    ]
    assert len(series) == len(set(series))
    assert len({it for it in series if it[0] == "ollama_slot_resident"}) == 2
    assert {dict(labels).get("unit") for _, labels in series} == {None, OTHER}
    assert 'ollama_slot_resident{slot="one"} 1\n' in one.metrics.read_text()
    assert {it.metrics.name for it in both} == {"ollama-slots.prom", "ollama-gpu1-slots.prom"}


def test_one_is_changed_while_the_other_is(both: tuple[DirectoryHost, DirectoryHost]) -> None:
    one, other = both
    with (one.root / "run/ollama-slots.lock").open("w") as lock:
        lock.write("the rotation of slot one\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert one.found(of(one, "a:1b")).busy
        assert other.found(of(other, "a:1b")).busy is None


def test_a_restart_is_of_its_own_unit(both: tuple[DirectoryHost, DirectoryHost]) -> None:
    one, other = both
    mains = one.main, other.main
    assert other.run("await", verb="restart", url="", seconds=5).code == 0
    assert (one.main, other.main != mains[1]) == (mains[0], True)
    assert memory(one) == {A}


def test_a_repair_of_the_warm_up_is_of_its_own(both: tuple[DirectoryHost, DirectoryHost]) -> None:
    _, other = both
    other.install_warm_up(of(other, "a:1b"))
    given: dict[str, Any] = {"url": other.engine.url, "keep_alive": -1, "load_seconds": 9, "lock_seconds": 9}
    assert other.run("warm", **given, gpu="yes").code == 0
    assert ["systemctl", "restart", "ollama-gpu1-warmup.service"] in other.programs.called
    assert ["systemctl", "restart", "ollama-warmup.service"] not in other.programs.called


def test_two_pull_one_after_the_other_for_they_may_have_one_store(
    both: tuple[DirectoryHost, DirectoryHost],
) -> None:
    one, other = both
    other.engine.publish("c:1b")
    given: dict[str, Any] = {"url": other.engine.url, "model": "c:1b", "insecure": "false", "record_base": "no"}
    given |= {"stall_seconds": 9, "total_seconds": 0, "lock_seconds": 9, "for_slots": "one"}
    for it in both:
        path = one.root / it.paths["drop_in"].lstrip("/")
        path.parent.mkdir(parents=True)
        path.touch()
    with (one.root / "run/ollama-slots-fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = other.run("pull", **given)
        assert (done.code, done.out) == (1, "c:1b: waiting for another pull on this host\n")
        assert done.err == "pull of c:1b failed: waited 0 s for another pull on this host (for slot one)\n"
    assert other.run("pull", **given | {"total_seconds": 9}).code == 0


def test_a_unit_that_is_another_s_alias_is_no_ollama_of_its_own() -> None:
    lines = deployed(declared("a:1b")).probe()
    found = parse_probe(lines, "llm.service")
    assert found.service == {"LoadState": "an alias of ollama.service"}
    assert found.environ is None


def test_the_suite_for_users_looks_where_a_deploy_puts_things() -> None:
    for unit in ("ollama", "ollama-gpu1", "ollama@1"):
        settings = declared("a:1b", ollama_unit=unit)
        look, ours = Look(Declared("@local", {}, settings), ""), scripts.paths(unit=settings.ollama_unit)
        assert (look.states, look.modelfiles) == (ours["state_dir"], ours["modelfiles"])
        assert look.warm_up == ours["warm_up"] == units.warm_up(look.unit)


def test_a_candidate_of_each_is_its_own(both: tuple[DirectoryHost, DirectoryHost]) -> None:
    one, other = both
    other.deploy(of(other, "a:1b", slot1_num_ctx=2048))
    assert (other.root / "etc/ollama-gpu1/modelfiles/one.Modelfile").exists()
    assert (other.root / "var/lib/ollama-gpu1-slots/previous/one.slot").exists()
    assert not (one.root / "var/lib/ollama-slots/previous/one.slot").exists()

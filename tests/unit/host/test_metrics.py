"""What the warm-up writes for Prometheus: its script as it runs on a host, against an engine of canned answers."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ollama_slots.host import scripts
from tests.unit import paths
from tests.unit.declared import declared
from tests.unit.written import warm_up_files

CURL = """#!/bin/sh
for url; do :; done
cd "$ENGINE" || exit
status=200
case $url in
*/api/version) [ ! -e silent ] || exit 7 ;;
*/api/generate)
    case $* in
    *'"model":"ne:latest"'*)
        if [ -e leaving ]; then # asked a moment before it goes
            rm leaving && mv ps ps.all && echo '{"models":[]}' >ps
        elif [ -e ps.all ]; then
            mv ps.all ps
        fi ;;
    esac
    [ ! -e narrow ] || for it in one o.e ne; do # room for one alone
        case $* in *'"model":"'"$it:latest"'"'*) cp "only.$it" ps ;; esac
    done
    case $* in
    *'"model":"one:latest"'*) ;;
    *) [ ! -e broken ] || { echo '{"error":"unable to load model"}' && status=500; }
       [ ! -e small ] || echo '{"models":[]}' >ps ;;
    esac
    [ "$status" = 500 ] || echo '{"done":true}' ;;
*) cat "${url##*/}" ;;
esac
printf '\\n0.125 %s' "$status"
"""
SLOTS = ("one", "o.e", "ne")  # a name that is another's pattern, and one that is another's end
Sample = tuple[str, str, float]
FIGURES = (
    "ollama_slot_resident",
    "ollama_slot_load_seconds",
    "ollama_slot_gpu_bytes",
    "ollama_slot_context_tokens",
)
OTHERS = (
    "ollama_slot_info",
    "ollama_slot_heals",
    "ollama_slot_heal_tries",
    "ollama_slot_away_seconds",
    "ollama_slots_gpu_memory_bytes",
    "ollama_slots_gpu_memory_free_bytes",
    "ollama_slots_warm_up_success",
    "ollama_slots_last_look_timestamp_seconds",
)


def all_but_resident(slot: str, size: int) -> set[Sample]:
    return {
        ("ollama_slot_load_seconds", slot, 0.125),
        ("ollama_slot_gpu_bytes", slot, size),
        ("ollama_slot_context_tokens", slot, 4096),
    }


class Host:
    """A directory that is a host's: the slots' state, the engine's answers, and where the metrics go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics" / "ollama-slots.prom"
        states = Path(scripts.path("state_dir", f"{path}"))
        for directory in (path / "bin", path / "engine", path / "metrics", states):
            directory.mkdir(parents=True)
        (path / "bin" / "curl").write_text(CURL)
        (path / "bin" / "curl").chmod(0o755)
        runners = []
        for number, name in enumerate(SLOTS, 1):
            digest = str(number) * 64
            state = (
                f"model=a:1b\nbase={digest}\nweights=w{number}\ncontext=4096\nvariant={digest}\nloaded={digest}\n"
            )
            (states / f"{name}.slot").write_text(state)
            size = number * 10**9
            runners.append({"digest": digest, "size": size, "size_vram": size, "context_length": 4096})
        listed = {"models": [{"name": it, **runner} for it, runner in zip(SLOTS, runners, strict=True)]}
        for it, runner in zip(SLOTS, runners, strict=True):
            alone = json.dumps({"models": [{"name": it, **runner}]}, separators=(",", ":"))
            (path / "engine" / f"only.{it}").write_text(alone)
        for endpoint in ("ps", "tags"):
            text = json.dumps(listed, separators=(",", ":"))
            (path / "engine" / endpoint).write_text(text)

    def warm_up(self, *arguments: str, said: str = "", fails: bool = False) -> None:
        files = warm_up_files(declared("a:1b", api_seconds=1), needs_gpu=True, root=f"{self.path}")
        text = files[paths.WARM_UP_SCRIPT][1]
        environ = {
            **os.environ,
            "PATH": f"{self.path}/bin:{os.environ['PATH']}",
            "ENGINE": str(self.path / "engine"),
            "STATE_DIRECTORY": str(self.metrics.parent),
        }
        command = ["sh", "-c", f"umask 077\n{text}", "ollama-warmup", *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        assert said in done.stdout

    def happens(self, what: str) -> None:
        (self.path / "engine" / what).touch()

    def resident(self) -> dict[str, float]:
        """What it says of the residency of each slot."""
        return {slot: value for name, slot, value in self.samples() if name == "ollama_slot_resident"}

    def samples(self) -> set[Sample]:
        """Name, slot and value of the slots' figures."""
        samples = [it for family in self.families() if family.name in FIGURES for it in family.samples]
        assert all(set(it.labels) == {"slot"} and it.timestamp is None for it in samples)
        return {(it.name, it.labels["slot"], it.value) for it in samples}

    def families(self) -> list[Metric]:
        """What the reference parser reads."""
        families = list(text_string_to_metric_families(self.metrics.read_text()))
        assert tuple(it.name for it in families) == FIGURES + OTHERS
        assert all(it.documentation.endswith(".") for it in families)
        return families

    def value(self, name: str) -> float:
        """The one value of a metric."""
        [value] = [it.value for family in self.families() for it in family.samples if it.name == name]
        return value


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_slots_that_are_resident_have_their_figures(host: Host) -> None:
    host.warm_up(said="one: resident after 0.125 s, 1.00 GB in GPU memory, context 4096")
    assert host.samples() == {
        *(("ollama_slot_resident", slot, 1) for slot in SLOTS),
        *all_but_resident("one", 10**9),
        *all_but_resident("o.e", 2 * 10**9),
        *all_but_resident("ne", 3 * 10**9),
    }
    assert host.value("ollama_slots_warm_up_success") == 1


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ("broken", {"one"}),
        ("small", set()),  # the last load evicted the first
        ("silent", set()),
    ],
)
def test_after_a_warm_up_that_failed_a_slot_is_not_resident_and_nothing_else_is_known(
    host: Host, what: str, left: set[str]
) -> None:
    host.warm_up()
    host.happens(what)
    host.warm_up(fails=True)
    assert host.resident() == {slot: float(slot in left) for slot in SLOTS}
    assert {slot for name, slot, _ in host.samples() if name != "ollama_slot_resident"} == left
    assert host.value("ollama_slots_warm_up_success") == 0


def test_a_slot_that_has_gone_since_it_answered_is_asked_for_once_more(host: Host) -> None:
    host.happens("leaving")
    host.warm_up(said="ne: resident after 0.125 s")
    assert host.resident() == dict.fromkeys(SLOTS, 1)


def test_slots_that_evict_one_another_are_not_resident(host: Host) -> None:
    """Each is there when it has just been asked for."""
    host.happens("narrow")
    host.warm_up(fails=True, said="no longer resident: not in memory")
    assert host.resident() == {"one": 0, "o.e": 1, "ne": 0}


def test_when_the_unit_stops_no_slot_is_proven_any_more(host: Host) -> None:
    host.warm_up()
    host.happens("silent")
    host.warm_up("stop")
    assert host.samples() == {("ollama_slot_resident", slot, 0) for slot in SLOTS}
    assert host.value("ollama_slots_warm_up_success") == 0


def test_everybody_may_read_it_whatever_the_umask_and_nothing_else_is_left(host: Host) -> None:
    host.warm_up()
    assert host.metrics.stat().st_mode & 0o777 == 0o644
    assert list(host.metrics.parent.iterdir()) == [host.metrics]


def in_the_way(host: Host) -> None:
    host.metrics.with_name(f"{host.metrics.name}.ollama-warmup.new").mkdir()


def no_directory(host: Host) -> None:
    host.metrics.unlink()
    host.metrics.parent.rmdir()


@pytest.mark.parametrize("damage", [in_the_way, no_directory])
def test_slots_are_warmed_though_it_cannot_be_written(host: Host, damage: Callable[[Host], None]) -> None:
    host.warm_up()
    before = host.metrics.read_text()
    damage(host)
    host.warm_up(said="<4>the metrics could not be written to")
    assert not host.metrics.exists() or host.metrics.read_text() == before

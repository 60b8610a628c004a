"""On a host of the group ``benchmark`` slots make way for what does not fit beside them, and come back."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ollama_slots.benchmark.cache import BenchmarkError
from tests.unit.benchmark.asking.asked import Connected
from tests.unit.benchmark.asking.test_ask import Model
from tests.unit.benchmark.asking.test_candidates import NAME, SETTINGS, A, B, C, clear, locked, run, slots
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds, memory, pulled
from tests.unit.world import of_start

GB = 10**9


@pytest.fixture
def full(host: DirectoryHost) -> DirectoryHost:
    """Slots one and two are resident, c:1b is there, and Ollama holds no third model."""
    holds(host, "one", "a:1b")
    holds(host, "two", "b:1b")
    pulled(host, "c:1b")
    restarted(host, most=2)
    return host


def restarted(host: DirectoryHost, most: int) -> None:
    """Ollama holds the slots, and so many models at most."""
    host.engine.runners.most = most
    host.restart()
    for name in ("one", "two"):
        host.engine.generate({"model": f"{name}:latest", "keep_alive": -1})
    clear(host)


def spare(host: DirectoryHost) -> Connected:
    """As a host of that group."""
    connected = Connected(host)
    connected.groups = ["benchmark"]
    return connected


def held(host: DirectoryHost) -> Any:
    """What the slots hold, for how long and with which window; which process is another by now."""
    return {it: (seconds, window) for it, (_, seconds, window) in slots(host)[0].items()}, slots(host)[1]


def test_no_more_slots_than_need_to_and_for_a_command_at_a_time(full: DirectoryHost, tmp_path: Path) -> None:
    before, model = held(full), Model(full)
    said, during = model.says, list[Any]()

    def says(asked: dict[str, Any]) -> dict[str, Any]:
        during.append((asked["model"], memory(full), locked(full)))
        return said(asked)

    full.engine.says = says
    connected = spare(full)
    connected.between = lambda: during.append(memory(full))
    found = run(connected, tmp_path)
    assert [it.text for it in found] == [f"{number}" for number in range(6)]
    assert [it for it in during if isinstance(it, set) and it != {A, B}] == [], "between commands all is as ever"
    assert [it for it in during if isinstance(it, tuple) and it[0] == NAME] == [(NAME, {A, C}, True)] * 9
    assert full.engine.runners.evicted == []
    assert held(full) == before
    assert (full.digest(NAME), locked(full)) == (None, False)


def test_where_it_fits_nothing_makes_way(full: DirectoryHost, tmp_path: Path) -> None:
    restarted(full, most=3)
    before = slots(full)
    run(spare(full), tmp_path)
    assert slots(full) == before


def has_gpu(host: DirectoryHost, gib: float) -> None:
    """Ollama found a GPU of so much memory, and holds the slots on it."""
    (host.root / "log").write_text(of_start(gib * 1024) + "\n")
    started = host.root / host.paths["started"].lstrip("/")
    started.parent.mkdir(parents=True)
    started.symlink_to("0123456789abcdef0123456789abcdef")
    restarted(host, most=4)


def test_by_memory_too(full: DirectoryHost, tmp_path: Path) -> None:
    has_gpu(full, 4.6)
    before = held(full)
    assert len(run(spare(full), tmp_path)) == 6
    assert held(full) == before
    assert full.engine.runners.loaded[:2] == [NAME, "two:latest"]


def test_what_ollama_loads_only_where_it_is_alone(full: DirectoryHost, tmp_path: Path) -> None:
    """Beside others it leaves a fifth of the memory free. The largest slot is the first to come back."""
    full.engine.shapes[A] = replace(full.engine.shapes[A], size=2 * GB)
    has_gpu(full, 4.5)
    pulled(full, "c:3b", size=3 * GB)
    clear(full)
    before = held(full)
    assert len(run(spare(full), tmp_path, "c:3b", count=3)) == 3
    assert held(full) == before
    assert full.engine.runners.loaded[:3] == [NAME, "one:latest", "two:latest"]


def test_where_the_host_does_not_know_its_gpu_all_make_way(full: DirectoryHost, tmp_path: Path) -> None:
    restarted(full, most=4)
    before, settings = held(full), SETTINGS.model_copy(update={"gpu_memory_gib": 3.0})
    assert len(run(spare(full), tmp_path, settings=settings, count=3)) == 3
    assert held(full) == before
    assert full.engine.runners.loaded[:3] == [NAME, "one:latest", "two:latest"]


def test_what_does_not_fit_even_then_is_not_tried(full: DirectoryHost, tmp_path: Path) -> None:
    """Beside a model of somebody else's."""
    has_gpu(full, 6.2)
    pulled(full, "x:5b", size=5 * GB)
    full.engine.generate({"model": "x:5b"})
    clear(full)
    before = slots(full)
    with pytest.raises(
        BenchmarkError, match=r"does not fit where all slots make way for it: needs 2\.\d of 0\.9 GiB"
    ):
        run(spare(full), tmp_path)
    assert (slots(full), full.engine.runners.loaded) == (before, [])


def test_a_slot_that_does_not_come_back_is_told(full: DirectoryHost, tmp_path: Path) -> None:
    full.engine.fails["two:latest"] = "unable to load model"
    with pytest.raises(BenchmarkError, match="slot two: resident before, and then not in memory: unable to load"):
        run(spare(full), tmp_path)


def test_they_come_back_where_it_does_not_load(full: DirectoryHost, tmp_path: Path) -> None:
    before = held(full)
    full.engine.fails[NAME] = "unable to load model"
    with pytest.raises(BenchmarkError, match="does not load: unable to load model"):
        run(spare(full), tmp_path)
    assert held(full) == before


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGPIPE])
def test_they_come_back_though_nobody_waits_for_it(
    full: DirectoryHost, tmp_path: Path, how: signal.Signals
) -> None:
    before, model = held(full), Model(full)
    said = model.says

    def says(asked: dict[str, Any]) -> dict[str, Any]:
        if len(model.asked) == 2:
            os.kill(full.running, how)
        return said(asked)

    full.engine.says = says
    run(spare(full), tmp_path)
    assert held(full) == before

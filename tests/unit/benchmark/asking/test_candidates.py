"""A candidate is asked as a slot is, is loaded only where nothing goes for it, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from typing import Any, cast

import pytest
from paramiko import SSHException
from pyinfra.api import Host

from ollama_slots.benchmark.asking import candidates, fitting
from ollama_slots.benchmark.asking.answered import Answered
from ollama_slots.benchmark.asking.ask import ask
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.core.settings import Settings
from ollama_slots.host import render
from tests.unit.benchmark.asking.asked import Connected, item, told
from tests.unit.benchmark.asking.test_ask import Model
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds, memory, pulled, weights
from tests.unit.world import of_start

SETTINGS = declared("a:1b", "b:1b", slot1_system="Be brief.", slot1_parameters={"top_k": 7}, load_seconds=5)
ITEMS = [item(number) for number in range(6)]
A, B, C = weights("a:1b"), weights("b:1b"), weights("c:1b")
NAME = f"{candidates.NAME}:latest"


@pytest.fixture
def two(host: DirectoryHost) -> DirectoryHost:
    """Slots one and two are resident, c:1b is there, and there is room for one more."""
    holds(host, "one", "a:1b")
    holds(host, "two", "b:1b")
    pulled(host, "c:1b")
    host.engine.runners.most = 3
    host.restart()
    for name in ("one", "two"):
        host.engine.generate({"model": f"{name}:latest"})
    clear(host)
    return host


def clear(host: DirectoryHost) -> None:
    host.engine.runners.loaded.clear()
    host.engine.requests.clear()
    host.asked()


def run(
    host: DirectoryHost | Connected,
    directory: Path,
    model: str = "c:1b",
    settings: Settings = SETTINGS,
    count: int = 6,
) -> list[Answered]:
    connected = host if isinstance(host, Connected) else Connected(host)
    with (
        candidates.candidate(cast("Host", connected), settings, model, 1) as (slot, send),
        Kept(directory, slot.weights, 1) as kept,
    ):
        return ask(slot, ITEMS[:count], 1, kept, send, told()[1])


def slots(host: DirectoryHost) -> Any:
    """All that is the slots': runners, files, names."""
    runners = {it.weights: (it.pid, it.seconds, it.context) for it in host.engine.runners.all.values()}
    return {it: runners.get(it) for it in (A, B)}, host.picture()


def locked(host: DirectoryHost) -> bool:
    with (host.root / host.paths["lock"].lstrip("/")).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_it_is_asked_as_the_slot_would_be_and_nothing_is_left_of_it(two: DirectoryHost, tmp_path: Path) -> None:
    before, model, connected = slots(two), Model(two), Connected(two)
    said, was_locked = model.says, []

    def says(asked: dict[str, Any]) -> dict[str, Any]:
        was_locked.append(locked(two))
        made = two.engine.model(NAME)
        assert (made.params["top_k"], made.params["num_ctx"], made.parent) == (7, 4096, "c:1b")
        return said(asked)

    two.engine.says = says
    found = run(connected, tmp_path)
    assert [it.text for it in found] == [f"{number}" for number in range(6)]
    assert model.prompts[0] == "Hi", "what it was loaded with"
    assert model.prompts[1:] == [it.prompt for it in ITEMS]
    assert all(was_locked)
    assert not locked(two)
    assert two.engine.runners.loaded == [NAME]
    assert two.engine.runners.evicted == []
    assert slots(two) == before
    assert memory(two) == {A, B}
    assert two.digest(NAME) is None
    assert not list((two.root / "run/ollama-slots").iterdir())


def test_a_keep_alive_is_sent_to_the_candidate_and_bounded_and_to_no_slot(
    two: DirectoryHost, tmp_path: Path
) -> None:
    run(two, tmp_path, count=4)
    asked = two.engine.requests
    assert {it["model"] for it in asked} == {NAME}
    assert {it["keep_alive"] for it in asked} == {"10m", 0}
    assert [it["keep_alive"] for it in asked].index(0) == 5, "it is unloaded when all is asked"


def test_it_is_not_loaded_where_a_place_would_have_to_be_made(two: DirectoryHost, tmp_path: Path) -> None:
    two.engine.runners.most = 2
    two.restart()
    for name in ("one", "two"):
        two.engine.generate({"model": f"{name}:latest"})
    clear(two)
    with pytest.raises(BenchmarkError) as why:
        run(two, tmp_path)
    assert f"{why.value}" == (
        "candidate c:1b: does not fit beside what is in memory: 2 of at most 2 models are in memory"
    )
    assert (two.asked(), memory(two)) == ([], {A, B})


def test_it_is_not_loaded_where_memory_would_have_to_be_freed(two: DirectoryHost, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"gpu_memory_gib": 3.0})
    with pytest.raises(BenchmarkError, match=r"does not fit .* needs 1\.\d of 1\.1 GiB that are free$"):
        run(two, tmp_path, settings=settings)
    assert (two.asked(), memory(two)) == ([], {A, B})


def test_that_there_is_room_is_seen_on_the_host_again_before_each_load(two: DirectoryHost, tmp_path: Path) -> None:
    connected, model = Connected(two), Model(two)
    pulled(two, "d:1b")

    def another() -> None:
        if connected.commands == 4:  # after what it is made of, before the items: a user takes its place
            two.engine.runners.unload(C)
            two.engine.generate({"model": "d:1b"})
            clear(two)

    connected.between = another
    with pytest.raises(
        BenchmarkError, match="does not fit beside what is in memory: 3 of at most 3 models are in memory"
    ):
        run(connected, tmp_path)
    assert two.engine.runners.loaded == []
    assert two.engine.runners.evicted == []
    assert memory(two) == {A, B, weights("d:1b")}
    assert model.prompts == ["Hi"]


def test_that_there_is_memory_is_seen_on_the_host_again(two: DirectoryHost, tmp_path: Path) -> None:
    connected = Connected(two)
    (two.root / "log").write_text(of_start(8 * 1024) + "\n")
    invocation = two.root / two.paths["started"].lstrip("/")
    invocation.parent.mkdir(parents=True)
    invocation.symlink_to("0123456789abcdef0123456789abcdef")

    def larger() -> None:
        if connected.commands == 3:
            two.engine.runners.all[B].size_vram = two.engine.runners.all[B].size = 5 * 10**9

    connected.between = larger
    with pytest.raises(BenchmarkError, match=r"in memory: 2\.\d GiB of GPU memory are not free$"):
        run(connected, tmp_path)
    assert two.engine.runners.loaded == []


def test_one_that_left_between_blocks_is_loaded_again(two: DirectoryHost, tmp_path: Path) -> None:
    connected = Connected(two)

    def leaves() -> None:
        if connected.commands == 5:
            two.engine.runners.unload(C)

    connected.between = leaves
    assert len(run(connected, tmp_path)) == 6
    assert two.engine.runners.loaded == [NAME, NAME]


@pytest.mark.parametrize("watched", [True, False])
def test_the_watch_has_its_look_after_each_command_that_asks_and_holds_the_lock(
    two: DirectoryHost, tmp_path: Path, watched: bool
) -> None:
    """It waits for no lock: between two commands it would hardly ever find it free."""
    looks: list[bool] = []
    two.at_look = lambda: looks.append(locked(two))
    if watched:
        two.watch_timer_state = dict(two.shown)
    run(two, tmp_path)
    assert looks == [False] * 3 * watched, "one that asked what it is made of, and two blocks"


def test_so_it_has_after_one_that_asked_nothing(two: DirectoryHost, tmp_path: Path) -> None:
    looks: list[bool] = []
    two.at_look = lambda: looks.append(locked(two))
    two.watch_timer_state = dict(two.shown)
    two.engine.runners.most = 2
    with pytest.raises(BenchmarkError, match="resident before, and then not in memory: loaded again"):
        run(two, tmp_path)
    assert looks == [False]


def test_a_slot_that_is_lost_by_its_load_is_told_and_loaded_again(two: DirectoryHost, tmp_path: Path) -> None:
    two.engine.runners.most = 2  # and nobody has said so
    with pytest.raises(
        BenchmarkError, match=r"slot (one|two): resident before, and then not in memory: loaded again"
    ):
        run(two, tmp_path)
    assert memory(two) == {A, B}
    assert {it["keep_alive"] for it in two.engine.requests if it["model"] != NAME and "keep_alive" in it} == set()


def test_a_slot_that_is_lost_meanwhile_is_told_and_what_was_answered_is_kept(
    two: DirectoryHost, tmp_path: Path
) -> None:
    model = Model(two)
    says = model.says

    def loses(asked: dict[str, Any]) -> dict[str, Any]:
        if len(model.asked) == 3:
            two.engine.runners.evict(B)
        return says(asked)

    two.engine.says = loses
    with pytest.raises(
        BenchmarkError, match=r"^candidate c:1b: .*slot two: resident before, and then not in memory"
    ):
        run(two, tmp_path)
    assert memory(two) == {A, B}
    two.engine.says = says
    model.asked.clear()
    run(two, tmp_path)
    assert len(model.asked) == 1 + 3, "those of its block are kept"


def test_one_that_lies_outside_gpu_memory_is_not_measured(two: DirectoryHost, tmp_path: Path) -> None:
    (two.root / "log").write_text(of_start(80 * 1024) + "\n")
    invocation = two.root / two.paths["started"].lstrip("/")
    invocation.parent.mkdir(parents=True)
    invocation.symlink_to("0123456789abcdef0123456789abcdef")
    two.engine.runners.in_part[C] = 0.5
    with pytest.raises(BenchmarkError, match="only 500000000 of its 1000000000 bytes in GPU memory"):
        run(two, tmp_path)
    assert memory(two) == {A, B}


def test_what_cannot_be_a_candidate_is_refused_in_one_line(two: DirectoryHost, tmp_path: Path) -> None:
    two.engine.publish("twin:1b", weights="a:1b")
    two.engine.publish("e:1b", embeds=True)
    pulled(two, "twin:1b", "e:1b", "d:1b")
    two.engine.generate({"model": "d:1b"})
    clear(two)
    for model, why in {
        "nowhere:1b": "expected it on the host, found no such model: pull it first",
        "a:1b": "expected weights that no slot has, found slot one on them: ask that",
        "twin:1b": "expected weights that no slot has, found slot one on them: ask that",
        "e:1b": "expected a model that makes text, found an embedding model: leave it out",
        "d:1b": "expected that nobody has it in memory, found that somebody has: unload it first",
    }.items():
        with pytest.raises(BenchmarkError) as error:
            run(two, tmp_path, model)
        assert f"{error.value}" == f"candidate {model}: {why}"
    assert two.asked() == []


def test_a_slot_of_its_name_is_not_touched(host: DirectoryHost, tmp_path: Path) -> None:
    holds(host, candidates.NAME, "a:1b")
    pulled(host, "c:1b")
    with pytest.raises(BenchmarkError, match="expected no slot of the name"):
        run(host, tmp_path)
    assert host.asked() == []


def test_one_whose_slot_gets_its_weights_meanwhile_is_not_asked(two: DirectoryHost, tmp_path: Path) -> None:
    connected = Connected(two)

    def deployed() -> None:
        if connected.commands == 4:
            holds(two, "two", "c:1b")

    connected.between = deployed
    with pytest.raises(BenchmarkError, match="slot two has its weights by now"):
        run(connected, tmp_path)
    assert C in memory(two), "the slot's"
    assert two.digest(NAME) is None


@pytest.mark.parametrize("dies_at", [1, 2, 6])
def test_a_run_that_was_killed_is_cleared_away_and_goes_on(
    two: DirectoryHost, tmp_path: Path, dies_at: int
) -> None:
    model = Model(two)
    model.dies_at = dies_at
    before = slots(two)
    connected = Connected(two)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "_removed", lambda *_: None)  # nobody is left to do it
        with pytest.raises(BenchmarkError):
            run(connected, tmp_path)
    assert (two.digest(NAME) is not None, C in memory(two)) == (True, True)
    for it in two.engine.runners.all.values():
        assert (it.seconds == 600) == (it.weights == C), "it goes by itself"
    asked = len(model.asked)
    found = run(two, tmp_path)
    assert [it.text for it in found] == [f"{number}" for number in range(6)]
    assert len(model.asked) - asked <= 7
    assert slots(two) == before


def test_what_another_run_left_is_unloaded_before_another_model_has_its_name(
    two: DirectoryHost, tmp_path: Path
) -> None:
    pulled(two, "d:1b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "_removed", lambda *_: None)
        run(two, tmp_path, count=2)
    run(two, tmp_path, "d:1b", count=2)
    assert memory(two) == {A, B}
    assert two.engine.runners.evicted == []
    assert two.digest(NAME) is None


def test_it_waits_for_who_changes_the_host_and_says_so(two: DirectoryHost, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"load_seconds": 1})
    assert settings.lock_seconds > 0
    lock = two.root / two.paths["lock"].lstrip("/")
    with lock.open("w") as file, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("the rotation of slot one\n")
        file.flush()
        patch.setattr(Settings, "lock_seconds", property(lambda _: 1))
        with pytest.raises(
            BenchmarkError, match="waited 1 s for the rotation of slot one; try again when it is done"
        ):
            run(two, tmp_path, settings=settings)
    assert two.asked() == []


@pytest.mark.parametrize("error", [EOFError(), SSHException("SSH session not active"), ConnectionResetError()])
def test_a_connection_that_breaks_and_stays_broken_is_one_line(
    two: DirectoryHost, tmp_path: Path, error: Exception
) -> None:
    connected = Connected(two)

    def breaks() -> None:
        if connected.commands >= 5:
            raise error

    connected.between = breaks
    with pytest.raises(BenchmarkError, match="the connection broke"):
        run(connected, tmp_path)


def test_what_cannot_be_made_or_taken_away_is_told(two: DirectoryHost, tmp_path: Path) -> None:
    two.engine.create_fails = "no space left on device"
    with pytest.raises(
        BenchmarkError, match=r"^candidate c:1b: could not be made: ollama create failed: .*no space"
    ):
        run(two, tmp_path)
    two.engine.create_fails = None
    connected = Connected(two)

    def breaks() -> None:
        two.engine.down = connected.commands == 5

    connected.between = breaks
    with pytest.raises(
        BenchmarkError, match=r"could not be taken away: Ollama does not answer; the next run does"
    ):
        run(connected, tmp_path, count=2)
    two.engine.down = False


def test_its_modelfile_is_the_slots_own_with_another_base(two: DirectoryHost) -> None:
    models = ["c:1b", "one:latest", "two:latest"]
    observed = two.found(SETTINGS).model_copy(update={"details": two.details(models)})
    fit = fitting.fitted(SETTINGS, observed, "c:1b", 1)
    own = render.modelfile(fit.target)
    assert "FROM c:1b\n" in own
    assert '"""Be brief."""' in own
    assert (fit.context, fit.weights) == (4096, C)


def test_it_is_killed_by_signal_in_the_middle(two: DirectoryHost, tmp_path: Path) -> None:
    model = Model(two)
    says = model.says

    def dies(asked: dict[str, Any]) -> dict[str, Any]:
        if len(model.asked) == 5:
            os.killpg(two.running, signal.SIGKILL)
        return says(asked)

    two.engine.says = dies
    with pytest.raises(BenchmarkError, match="the connection broke, or the command was killed"):
        run(two, tmp_path)
    assert (memory(two), two.digest(NAME), locked(two)) == ({A, B}, None, False)

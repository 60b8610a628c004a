"""templates/ollama-warmup.sh.j2 and host/warm.sh: every slot is loaded and proven, or told of."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, Done, directory_host
from tests.unit.host.slots import holds, memory, modelfile, pulled, pulled_large, weights

A, B, C = weights("a:1b"), weights("b:1b"), weights("c:1b")
WANTED = declared("a:1b", "b:1b", "c:1b", api_seconds=1, load_seconds=20)
GB = 10**9


@pytest.fixture
def three(host: DirectoryHost) -> DirectoryHost:
    """Slots one, two and three of 1, 3 and 2 GB, none of them in memory, and the warm-up."""
    for name, model, size in (("one", "a:1b", 1), ("two", "b:1b", 3), ("three", "c:1b", 2)):
        host.engine.publish(model, size=size * GB)
        holds(host, name, model, loaded=False)
    host.install_warm_up(WANTED)
    return host


def published(host: DirectoryHost) -> dict[str, float]:
    """What the metrics say of each slot's residency."""
    text = (host.root / "var/lib/ollama-warmup/ollama-slots.prom").read_text()
    lines = [it.split() for it in text.splitlines() if it.startswith("ollama_slot_resident{")]
    return {name.partition('"')[2].partition('"')[0]: float(value) for name, value in lines}


def test_what_each_slot_has_is_there_for_prometheus(three: DirectoryHost) -> None:
    assert three.warm_up().code == 0
    file = three.root / "var/lib/ollama-warmup/ollama-slots.prom"
    samples = [it for family in text_string_to_metric_families(file.read_text()) for it in family.samples]
    values = {(it.name.removeprefix("ollama_slot_"), *it.labels.values()): it.value for it in samples}
    for name, size in (("one", 1), ("two", 3), ("three", 2)):
        assert values["resident", name] == 1
        assert values["gpu_bytes", name] == size * GB
        assert values["context_tokens", name] == 4096
        assert 0 < values["load_seconds", name] < 60
    assert values["ollama_slots_warm_up_success",] == 1
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_full_disk_keeps_no_slot_from_memory(three: DirectoryHost) -> None:
    (three.root / "dev/shm").mkdir(parents=True)
    done = three.warm_up(TMPDIR=str(three.root / "full"))  # nothing can be made there
    assert (done.code, done.err) == (0, "")
    assert memory(three) == {A, B, C}
    assert list((three.root / "dev/shm").iterdir()) == []


def test_every_slot_is_resident(three: DirectoryHost) -> None:
    done = three.warm_up()
    assert (done.code, done.err) == (0, "")
    assert memory(three) == {A, B, C}
    said = [line.partition(" s, ") for line in done.out.splitlines()]
    assert [it[0].rpartition(" ")[0] for it in said] == [f"{it}: resident after" for it in ("two", "three", "one")]
    assert [it[2] for it in said] == [f"{it}.00 GB in GPU memory, context 4096" for it in (3, 2, 1)]
    assert published(three) == {"one": 1, "two": 1, "three": 1}
    assert three.faults(WANTED) == {}


def test_the_largest_comes_first(three: DirectoryHost) -> None:
    """Ollama loads a model beside others only into a part of what they leave."""
    assert three.warm_up().code == 0
    assert three.engine.runners.loaded == ["two:latest", "three:latest", "one:latest"]


def test_what_is_resident_already_is_not_loaded_again(three: DirectoryHost) -> None:
    assert three.warm_up().code == 0
    three.engine.runners.loaded.clear()
    assert three.warm_up().code == 0
    assert three.engine.runners.loaded == []


def test_a_slot_that_does_not_load_keeps_no_other_from_it(three: DirectoryHost) -> None:
    three.engine.fails["three:latest"] = "unable to load model"
    done = three.warm_up()
    assert done.code == 1
    assert "<3>three: does not load: unable to load model\n" in done.out
    assert done.out.endswith("<3>not resident: three\n")
    assert memory(three) == {A, B}
    assert published(three) == {"one": 1, "two": 1, "three": 0}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("in_part", "only 1500000000 of its 2000000000 bytes in GPU memory"),
        ("narrow", "context window of 2048 tokens, not 4096"),
        ("leaving", "about to be unloaded"),
        ("gone", "not in memory"),
    ],
)
def test_a_slot_that_is_not_as_declared_is_told_of(three: DirectoryHost, fault: str, why: str) -> None:
    runners = three.engine.runners
    if fault == "in_part":
        runners.in_part[C] = 0.75
    elif fault == "narrow":
        runners.narrow[C] = 2048
    else:
        runners.leaving[C] = [10**6] if fault == "leaving" else [0] * 9
    three.install_warm_up(declared("a:1b", api_seconds=1, load_seconds=1))
    done = three.warm_up()
    assert done.code == 1
    assert f"<3>three: not resident as declared: {why}" in done.out
    assert published(three) == {"one": 1, "two": 1, "three": 0}


def test_a_slot_that_leaves_is_asked_until_it_has_come_again(three: DirectoryHost) -> None:
    three.engine.runners.leaving[C] = [2]
    done = three.warm_up()
    assert (done.code, done.err) == (0, "")
    assert three.engine.runners.loaded.count("three:latest") == 2


def test_a_later_load_may_evict_an_earlier_one(three: DirectoryHost) -> None:
    three.engine.runners.most = 2
    done = three.warm_up()
    assert done.code == 1
    assert "no longer resident" in done.out or "not resident as declared" in done.out
    assert sum(published(three).values()) <= 2


def test_what_was_told_to_leave_before_has_left_first(three: DirectoryHost) -> None:
    holds(three, "one", "a:1b", loaded=True)
    runner = three.engine.runners.all[A]
    three.engine.runners.slow_unload = 2  # longer than it would take to ask it, which hides that it goes
    three.engine.runners.unload(A)
    assert three.warm_up().code == 0
    assert three.engine.runners.all[A] is not runner


def test_where_ollama_does_not_see_the_gpu_it_says_so_at_once(three: DirectoryHost) -> None:
    three.engine.runners.on_cpu = {A, B, C}
    done = three.warm_up()
    assert done.code == 3
    assert done.out == "<3>two: loaded, but not in GPU memory: Ollama does not see the GPU\n"
    assert three.engine.runners.loaded == ["two:latest"], "the others would only be slower"
    assert published(three) == {"one": 0, "two": 0, "three": 0}


def test_a_slot_that_does_not_load_says_nothing_of_the_gpu(three: DirectoryHost) -> None:
    """All that is in memory is somebody's on the CPU."""
    pulled(three, "other:1b")
    three.engine.runners.on_cpu = {weights("other:1b")}
    three.engine.generate({"model": "other:1b"})
    three.engine.fails["two:latest"] = "unable to load model"  # the first, for it is the largest
    done = three.warm_up()
    assert done.code == 1
    assert "two: does not load: unable to load model" in done.out
    assert memory(three) >= {A, C}


def test_where_no_gpu_is_needed_it_is_not_looked_for(three: DirectoryHost) -> None:
    three.install_warm_up(WANTED, needs_gpu=False)
    three.engine.runners.on_cpu = {A, B, C}
    assert three.warm_up().code == 0


def test_one_in_the_gpu_shows_that_ollama_sees_it(three: DirectoryHost) -> None:
    three.engine.runners.on_cpu = {A, C}
    done = three.warm_up()
    assert done.code == 1
    assert "<3>not resident: three one\n" in done.out


def test_an_ollama_that_came_up_before_the_driver_is_restarted_once(three: DirectoryHost) -> None:
    three.engine.runners.on_cpu = {A, B, C}
    before = three.main
    assert three.warm_up("retry", EXIT_STATUS="3").code == 0
    assert three.main == before, "the driver is not ready"
    (three.root / "driver").write_text("80000, 80000\n")
    done = three.warm_up("retry", EXIT_STATUS="3")
    assert done.out == "<4>Ollama does not see the GPU, though its driver is ready: restarting Ollama, once\n"
    assert three.main != before
    before = three.main
    assert three.warm_up("retry", EXIT_STATUS="3").code == 0
    assert three.main == before, "once a boot or deploy"


@pytest.mark.parametrize("status", ["0", "1", "143", ""])
def test_for_another_failure_nothing_is_restarted(three: DirectoryHost, status: str) -> None:
    (three.root / "driver").write_text("80000, 80000\n")
    before = three.main
    done = three.warm_up("retry", EXIT_STATUS=status)
    assert (done.code, done.out, three.main) == (0, "", before)


def test_when_the_unit_stops_no_slot_is_proven_any_more(three: DirectoryHost) -> None:
    assert three.warm_up().code == 0
    three.stop_engine()
    assert three.warm_up("stop").code == 0
    assert published(three) == {"one": 0, "two": 0, "three": 0}


def test_an_ollama_that_does_not_answer_is_waited_for(three: DirectoryHost) -> None:
    three.engine.down = True
    done = three.warm_up()
    assert (done.code, done.out) == (1, f"<3>Ollama does not answer at {three.engine.url} after 1 s\n")
    threading.Timer(0.3, three.start_engine).start()
    assert three.warm_up().code == 0


def test_slots_of_the_same_weights_share_a_runner(three: DirectoryHost) -> None:
    holds(three, "four", "a:1b", loaded=False)
    assert three.warm_up().code == 0
    assert len(memory(three)) == 3
    assert published(three)["four"] == 1


def test_a_runner_is_known_by_its_weights_whoever_loaded_it(three: DirectoryHost) -> None:
    """By a name that some user made of the same weights."""
    three.engine.create("mine:latest", modelfile("a:1b", 4096, "PARAMETER top_k 3\n"))
    three.engine.generate({"model": "mine:latest"})
    assert three.warm_up().code == 0
    assert three.engine.runners.loaded.count("one:latest") == 0


def test_what_has_a_slots_name_and_is_not_its_variant_is_not_proven_by_its_runner(three: DirectoryHost) -> None:
    pulled(three, "d:1b")
    three.engine.create("one:latest", modelfile("d:1b"))
    done = three.warm_up()
    assert done.code == 1
    assert "<3>one: not resident as declared: not in memory\n" in done.out


def test_models_on_a_disk_that_comes_late_are_waited_for(three: DirectoryHost) -> None:
    three.install_warm_up(declared("a:1b", "b:1b", "c:1b", api_seconds=30, load_seconds=20))
    disk, away = three.store / "manifests", three.root / "away"
    disk.rename(away)
    threading.Timer(1.0, away.rename, [disk]).start()
    done = three.warm_up()
    assert (done.code, done.err) == (0, "")
    [first, *lines] = done.out.splitlines()
    assert first == (
        "<5>waiting for Ollama to list one three two: the disk with the models may come later than Ollama"
    )
    assert [it.partition(":")[0] for it in lines] == ["two", "three", "one"]
    assert memory(three) == {A, B, C}
    assert published(three) == {"one": 1, "two": 1, "three": 1}


def test_a_name_that_comes_late_keeps_no_other_from_being_loaded(three: DirectoryHost) -> None:
    three.install_warm_up(declared("a:1b", "b:1b", "c:1b", api_seconds=30, load_seconds=20))
    file = three.engine.files.file("two:latest")
    file.rename(three.root / "away")
    load = three.engine.runners.use

    def comes(*given: Any) -> Any:
        """When the others are loaded."""
        loaded = load(*given)
        if {A, C} <= memory(three) and not file.exists():
            (three.root / "away").rename(file)
        return loaded

    three.engine.runners.use = comes  # type: ignore[assignment]
    done = three.warm_up()
    assert (done.code, done.err) == (0, "")
    assert three.engine.runners.loaded == ["three:latest", "one:latest", "two:latest"]
    assert memory(three) == {A, B, C}


def test_a_name_that_never_comes_is_told_of_in_one_line_and_the_others_are_loaded(three: DirectoryHost) -> None:
    three.engine.delete("three:latest")
    done = three.warm_up()
    assert done.code == 1
    told = [it for it in done.out.splitlines() if it.startswith("<3>three")]
    assert told == ["<3>three: does not load: model 'three:latest' not found: Ollama has not listed it in 1 s"]
    assert done.out.endswith("<3>not resident: three\n")
    assert memory(three) == {A, B}


def test_an_ollama_that_lists_nothing_is_asked_all_the_same(three: DirectoryHost) -> None:
    """One broken name may keep it from listing any."""
    three.engine.tags = lambda: {"error": "x"}  # type: ignore[method-assign]
    assert three.warm_up().code == 0
    assert memory(three) == {A, B, C}


def test_without_slots_nothing_is_waited_for(host: DirectoryHost) -> None:
    host.install_warm_up(WANTED)
    done = host.warm_up()
    assert (done.code, done.out) == (0, "")


# host/warm.sh


def warm(host: DirectoryHost) -> Done:
    given: dict[str, Any] = {"url": host.engine.url, "keep_alive": -1, "load_seconds": 20, "lock_seconds": 1}
    return host.run("warm", **given, gpu="yes")


def test_what_was_loaded_without_room_is_loaded_anew_where_there_is_some(three: DirectoryHost) -> None:
    """Ollama leaves a runner where it is, though there is room by now."""
    three.engine.runners.in_part = {B: 0.5}
    assert three.warm_up().code == 1
    three.engine.runners.in_part = {}
    assert warm(three).code == 0
    assert three.faults(WANTED) == {}
    assert three.engine.runners.unloaded == [B], "no other"


def test_where_ollama_does_not_see_the_gpu_no_slot_is_loaded_anew(three: DirectoryHost) -> None:
    three.engine.runners.on_cpu = {A, B, C}
    assert three.warm_up().code == 3
    (three.root / three.paths["restarted"].lstrip("/")).touch()
    assert warm(three).code == 1
    assert three.engine.runners.unloaded == []


def test_the_unit_is_run_anew(three: DirectoryHost) -> None:
    assert warm(three).code == 0
    assert memory(three) == {A, B, C}
    assert three.programs.called == [["systemctl", "restart", "ollama-warmup.service"]]


def test_a_unit_whose_slots_load_a_moment_later_is_run_once_more(three: DirectoryHost) -> None:
    """Somebody's model was in the way, and has gone."""
    three.engine.fails["three:latest"] = "out of memory"
    run = three.warm_up_unit

    def passing(_: str) -> bool:
        succeeds = run("")
        three.engine.fails.clear()
        return succeeds

    three.warm_up_unit = passing  # type: ignore[method-assign]
    done = warm(three)
    assert (done.code, done.err) == (0, "")
    assert three.warm_up_state["ActiveState"] == "active"


def test_a_unit_that_fails_is_shown(three: DirectoryHost) -> None:
    three.engine.fails["three:latest"] = "unable to load model"
    done = warm(three)
    assert done.code == 1
    assert "<3>three: does not load: unable to load model" in done.err


@pytest.mark.parametrize(
    ("result", "status", "said"),
    [
        ("exit-code", "226", "226/NAMESPACE"),
        ("exit-code", "217", "217/USER"),
        ("exit-code", "218", "218/CAPABILITIES"),
        ("exit-code", "228", "228/SECCOMP"),
        ("exit-code", "244", "244"),
        ("resources", "0", "resources"),
        ("exit-code", "1", ""),
        ("exit-code", "3", ""),
        ("exit-code", "203", ""),
        ("exit-code", "238", ""),
        ("timeout", "0", ""),
    ],
)
def test_a_unit_that_may_not_be_sandboxed_is_told_apart(
    three: DirectoryHost, result: str, status: str, said: str
) -> None:
    def unit(_: str) -> bool:
        three.warm_up_state |= {"ActiveState": "failed", "Result": result, "ExecMainStatus": status}
        return False

    three.warm_up_unit = unit  # type: ignore[method-assign]
    three.journal.append("Main process exited")
    done = warm(three)
    assert done.code == 1
    if said:
        [line] = done.err.splitlines()
        assert line == (
            "expected systemd to start ollama-warmup.service in its sandbox, found that this host refuses it "
            f"({said}), as an unprivileged container does: allow nesting for the container (LXC: "
            "security.nesting=true; Proxmox: features: nesting=1), or relax the unit by a drop-in "
            "(docs/on-the-host.md), then deploy again"
        )
    else:
        assert "sandbox" not in done.err
        assert "Main process exited" in done.err


def test_one_that_had_ollama_restarted_is_waited_for(three: DirectoryHost) -> None:
    """It fails first, and is started again by the restart."""
    three.engine.runners.on_cpu = {A, B, C}
    (three.root / "driver").write_text("80000, 80000\n")
    restart = three.restart

    def sees() -> None:
        three.engine.runners.on_cpu.clear()
        restart()
        threading.Timer(0.2, three.warm_up_unit, [""]).start()

    three.restart = sees  # type: ignore[method-assign]
    done = warm(three)
    assert (done.code, done.err) == (0, "")
    assert memory(three) == {A, B, C}


def test_a_runner_that_nobody_knows_is_loaded_anew(three: DirectoryHost) -> None:
    """Its manifest is gone: no name and no state tells of its weights."""
    three.engine.create("gone:latest", modelfile("a:1b", 4096, "PARAMETER top_k 3\n"))
    three.engine.generate({"model": "gone:latest"})
    three.engine.delete("gone:latest")
    done = warm(three)
    assert (done.code, done.err) == (0, "")
    assert three.engine.runners.all[A].name == "one:latest"
    assert three.faults(WANTED) == {}


def test_a_name_that_ollama_looked_at_while_its_weights_were_missing_is_renewed(tmp_path: Path) -> None:
    """It would go on saying that it cannot generate, though a pull has brought them back."""
    with directory_host(tmp_path / "host", "0.32.15") as host:
        holds(host, "one", "a:1b", loaded=False)
        host.install_warm_up(WANTED)
        blob, before = host.engine.files.blob(A), host.picture()["names"]
        content = blob.read_bytes()
        blob.unlink()
        host.engine.shown.clear()
        assert "does not support generate" in host.warm_up().out
        blob.write_bytes(content)
        assert "does not support generate" in host.warm_up().out
        assert warm(host).code == 0
        assert memory(host) == {A}
        assert host.picture()["names"] == before


def test_damaged_weights_are_told_of(three: DirectoryHost) -> None:
    large = pulled_large(three, "large:1b")
    holds(three, "one", "large:1b", loaded=False)
    three.engine.files.blob(large).write_bytes(b"x" * 300_000)
    done = warm(three)
    assert done.code == 1
    assert f"slot one: its weights sha256-{large} are damaged on the disk: the next deploy fetches" in done.err

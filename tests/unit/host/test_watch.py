"""templates/ollama-slots-watch.sh.j2: what leaves memory is seen, told of, and loaded again; nothing else is."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ollama_slots.host import scripts
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, Done
from tests.unit.host.slots import holds, memory, pulled, weights

A, B, C = weights("a:1b"), weights("b:1b"), weights("c:1b")
MODELS = ("a:1b", "b:1b", "c:1b")
WANTED = declared(*MODELS, load_seconds=20, watch_seconds=1)
GB = 10**9


@pytest.fixture
def three(host: DirectoryHost) -> DirectoryHost:
    """Slots one, two and three, of 1, 3 and 2 GB, all of them in memory."""
    for name, model, size in (("one", "a:1b", 1), ("two", "b:1b", 3), ("three", "c:1b", 2)):
        host.engine.publish(model, size=size * GB)
        holds(host, name, model)
    (host.root / "driver").write_text("80000, 80000\n")
    return host


def published(host: DirectoryHost) -> dict[tuple[str, ...], float]:
    """The metrics: by name and the values of its labels."""
    families = text_string_to_metric_families(host.metrics.read_text())
    return {
        (it.name.removeprefix("ollama_slot_"), *it.labels.values()): it.value
        for family in families
        for it in family.samples
    }


def resident(host: DirectoryHost) -> set[str]:
    return {key[1] for key, value in published(host).items() if key[0] == "resident" and value}


def look(host: DirectoryHost, **data: object) -> Done:
    done = host.watch(declared(*MODELS, **{"load_seconds": 20, "watch_seconds": 1} | data))
    assert (done.code, done.err) == (0, "")
    return done


def heal(host: DirectoryHost, **data: object) -> Done:
    done = host.watch(declared(*MODELS, **{"load_seconds": 20, "watch_seconds": 1} | data), "heal")
    assert done.err == ""
    return done


def passes(host: DirectoryHost, seconds: int) -> None:
    """So many seconds pass, as far as the records of the slots tell."""
    for record in (host.root / "run/ollama-slots-watch").iterdir():
        lines = [line.split("=", 1) for line in record.read_text().splitlines()]
        times = {"since", "counted", "tried", "stayed"}
        record.write_text("".join(f"{key}={int(it) - seconds if key in times else it}\n" for key, it in lines))


def begun(host: DirectoryHost) -> int:
    """How often a look has started the unit that heals, since the last time."""
    count, host.heals_begun = host.heals_begun, 0
    return count


def test_nothing_is_asked_of_a_model_while_all_is_well(three: DirectoryHost) -> None:
    for _ in range(3):
        assert look(three).out == ""
    assert three.asked() == []
    assert begun(three) == 0
    assert resident(three) == {"one", "two", "three"}
    assert time.time() - published(three)["ollama_slots_last_look_timestamp_seconds",] < 10


def test_what_a_look_found_well_is_not_judged_again_until_something_differs(three: DirectoryHost) -> None:
    look(three)
    first = published(three)
    old = three.metrics.read_text().replace("timestamp_seconds 1", "timestamp_seconds 0")
    three.metrics.write_text(f"{old}# as it was\n")
    three.engine.generate({"model": "one:latest", "prompt": "Hi"})
    look(three)
    assert "# as it was" in three.metrics.read_text(), "no more than the time is written"
    assert (
        published(three)["ollama_slots_last_look_timestamp_seconds",]
        >= (first["ollama_slots_last_look_timestamp_seconds",])
    )
    three.engine.runners.evict(A)
    look(three)
    assert resident(three) == {"two", "three"}


LEFT = {
    "away": "not in memory",
    "ended": "its runner has ended",
    "window": "context window of 1024 tokens, not 4096",
    "cpu": "only 1500000000 of its 2000000000 bytes in GPU memory",
}


def leave(host: DirectoryHost, how: str) -> None:
    """Slot three is not in memory as declared."""
    runners = host.engine.runners
    if how == "away":
        runners.evict(C)
    elif how == "ended":
        runners.dies(C)
    elif how == "window":
        host.engine.generate({"model": "three:latest", "prompt": "Hi", "options": {"num_ctx": 1024}})
    else:
        runners.all[C].size_vram = int(1.5 * GB)
    runners.loaded.clear()


@pytest.mark.parametrize("how", LEFT)
def test_what_has_left_is_loaded_again_as_declared(three: DirectoryHost, how: str) -> None:
    look(three)
    leave(three, how)
    three.engine.requests.clear()
    assert look(three).out == "", "the heal tells of it"
    assert three.engine.requests == []
    assert (begun(three), resident(three)) == (1, {"one", "two"})
    done = heal(three)
    assert done.code == 0
    assert done.out.startswith(f"<5>three: {LEFT[how]}: loaded again in ")
    assert done.out.endswith(" s\n")
    assert three.engine.runners.loaded == ["three:latest"], "and no other slot"
    assert three.engine.runners.all[C].context == 4096
    # One that comes to a runner at work while another request waits for it to go may stop Ollama's scheduler.
    assert not [it for it in three.engine.requests if "keep_alive" in it and "prompt" in it]
    assert look(three).out == ""
    assert begun(three) == 0
    assert resident(three) == {"one", "two", "three"}
    assert published(three)["heals_total", "three", how] == 1
    assert sum(value for key, value in published(three).items() if key[0] == "heals_total") == 1
    assert 0 < published(three)["load_seconds", "three"] < 60
    assert three.faults(WANTED) == {}


@pytest.mark.parametrize("kind", ["generate", "embed"])
def test_a_slot_that_expires_is_told_to_stay_before_it_goes(host: DirectoryHost, kind: str) -> None:
    host.engine.publish("a:1b", embeds=kind == "embed")
    holds(host, "one", "a:1b")
    host.engine.runners.all[A].seconds = 300
    host.engine.runners.all[A].expires = time.time() + 300
    settings = declared("a:1b", watch_seconds=1)
    assert host.watch(settings).out == ""
    assert (begun(host), resident(host)) == (1, {"one"})
    done = host.watch(settings, "heal")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("<5>one: expires at ")
    assert done.out.endswith(": told to stay\n")
    assert host.engine.runners.loaded == []
    assert host.engine.requests == [{"model": "one:latest", "keep_alive": -1}]
    assert host.faults(settings) == {}


def test_a_look_leaves_alone_what_a_warm_up_is_writing(three: DirectoryHost) -> None:
    writing = three.metrics.with_name(f"{three.metrics.name}.ollama-warmup.sh.new")
    writing.touch()
    look(three)
    assert published(three)
    assert list(three.metrics.parent.glob("*.new")) == [writing]


def test_by_report_nothing_is_healed_and_each_change_is_told_once(three: DirectoryHost) -> None:
    leave(three, "away")
    assert look(three, watch="report").out == "<4>three: not in memory\n"
    assert look(three, watch="report").out == ""
    three.engine.generate({"model": "three:latest"})
    assert look(three, watch="report").out == "<5>three: in memory as declared again\n"
    assert begun(three) == 0


def test_the_seconds_that_a_slot_was_away_are_counted(three: DirectoryHost) -> None:
    look(three)
    leave(three, "away")
    begins = time.time()
    look(three)
    time.sleep(2.1)
    look(three)
    assert 2 <= published(three)["away_seconds_total", "three"] <= time.time() - begins + 1
    heal(three)
    look(three)
    total = published(three)["away_seconds_total", "three"]
    time.sleep(1.1)
    look(three)
    assert published(three)["away_seconds_total", "three"] == total
    assert published(three)["away_seconds_total", "two"] == 0


def test_a_runner_at_work_is_let_be(three: DirectoryHost) -> None:
    leave(three, "window")
    stat = three.proc.path / f"{three.engine.runners.all[C].pid}" / "stat"
    works = three.root / "works"
    works.mkdir()

    def tick(count: int) -> None:
        stat.write_text(f"9 (a) (b) S {' '.join('0' * 10)} {count} 0 0\n")

    # A file that another reading gives another figure, as the kernel's does.
    (three.root / "bin/sleep").write_text(
        f"#!/bin/sh\n[ -e {works} ] && echo '9 (b) S{' 0' * 10} '$$' 0' >{stat}\n"
    )
    tick(1)
    assert look(three).out == ""
    assert begun(three) == 0
    passes(three, 60)
    done = look(three)
    assert done.out == f"<4>three: {LEFT['window']}, and in use: it is loaded again when it is idle\n"
    assert look(three).out == "", "once"
    assert heal(three).out == ""
    assert three.engine.runners.loaded == []
    works.rmdir()
    look(three)
    assert begun(three) == 1
    assert heal(three).out.startswith(f"<5>three: {LEFT['window']}: loaded again in ")
    assert look(three).out == "", "the heal has told of it"


def test_what_somebody_is_loading_is_let_be(three: DirectoryHost) -> None:
    """A process that /api/ps does not list yet: a client may have asked for it with a window of his own."""
    leave(three, "away")
    blob = f"{three.store}/blobs/sha256-{C}"
    process = three.proc.start("/usr/local/lib/ollama/llama-server", "--model", blob, parent=three.main)
    look(three)
    assert (begun(three), resident(three)) == (0, {"one", "two"})
    three.proc.end(process)
    look(three)
    assert begun(three) == 1


def test_what_is_about_to_be_unloaded_goes_and_is_loaded_then(three: DirectoryHost) -> None:
    """An answer takes away the sign of it, and it goes all the same."""
    three.engine.runners.all[C].leaves_after, three.engine.runners.all[C].expires = 10**6, time.time() - 1
    three.engine.requests.clear()
    assert look(three).out == ""
    assert (begun(three), resident(three), heal(three).out) == (0, {"one", "two"}, "")
    assert three.engine.requests == []
    leave(three, "away")
    look(three)
    assert begun(three) == 1
    assert heal(three).code == 0


def foreign(host: DirectoryHost, size: int) -> None:
    """Somebody has another model in memory."""
    pulled(host, "x:1b", size=size)
    host.engine.generate({"model": "x:1b"})
    host.engine.runners.loaded.clear()


@pytest.mark.parametrize(("gib", "fits"), [(10, True), (7, False)])
def test_a_slot_that_needs_the_room_of_somebody_elses_model_waits(
    three: DirectoryHost, gib: int, fits: bool
) -> None:
    found = f'msg="inference compute" library=CUDA total="12 GiB" available="{gib}.0 GiB"'
    (three.root / "log").write_text(f"{found}\n")
    started = three.root / three.paths["started"].lstrip("/")
    started.parent.mkdir(parents=True, exist_ok=True)
    started.symlink_to("1234")
    look(three)
    leave(three, "away")
    foreign(three, GB)
    said = look(three).out
    assert begun(three) == int(fits)
    wanted = "not in memory, and no room for it beside x:1b: unload that, or set watch_evicts = True"
    assert said == ("" if fits else f"<4>three: {wanted}\n")
    heal(three)
    assert (C in memory(three)) is fits
    assert weights("x:1b") in memory(three)
    heal(three, watch_evicts=True)
    assert C in memory(three)
    assert (weights("x:1b") in memory(three)) is fits


@pytest.mark.parametrize("how", ["away", "ended", "cpu"])
def test_while_the_gpus_driver_does_not_answer_nothing_is_loaded_without_it(
    three: DirectoryHost, how: str
) -> None:
    look(three)
    leave(three, how)
    (three.root / "driver").rename(three.root / "lost")
    wanted = f"{LEFT[how]}, and nvidia-smi does not answer: it is loaded again when it does"
    assert look(three).out == f"<4>three: {wanted}\n"
    assert (begun(three), heal(three).out, three.engine.runners.loaded) == (0, "", [])
    (three.root / "lost").rename(three.root / "driver")
    look(three)
    assert begun(three) == 1


@pytest.mark.parametrize("how", ["ended", "cpu"])
def test_a_slot_that_has_its_place_needs_no_other(three: DirectoryHost, how: str) -> None:
    """Ollama lists it, so that loading it again makes nothing go."""
    look(three)
    foreign(three, GB)
    leave(three, how)
    assert look(three, max_loaded_models=4).out == ""
    assert begun(three) == 1
    heal(three, max_loaded_models=4)
    assert weights("x:1b") in memory(three)
    assert three.faults(WANTED) == {}


def test_whose_room_it_is_is_told_once_in_whatever_order_ollama_has_them(three: DirectoryHost) -> None:
    look(three)
    leave(three, "away")
    for name in ("x:1b", "y:1b"):
        pulled(three, name, size=GB)
        three.engine.generate({"model": name})
    assert "no room for it beside x:1b y:1b:" in look(three, max_loaded_models=3).out
    three.engine.generate({"model": "x:1b"})
    runners = three.engine.runners.all
    runners[weights("x:1b")] = runners.pop(weights("x:1b"))
    assert look(three, max_loaded_models=3).out == ""


def test_where_ollama_holds_no_more_models_it_waits_too(three: DirectoryHost) -> None:
    look(three)
    leave(three, "away")
    foreign(three, GB)
    assert "no room" in look(three, max_loaded_models=3).out
    assert begun(three) == 0
    assert look(three, max_loaded_models=4).out == ""
    assert begun(three) == 1


def test_it_is_loaded_again_and_again_further_and_further_apart(three: DirectoryHost) -> None:
    """Though it leaves before each look: twice at once, then after 2, 4, 8, 16 looks; the journal says so."""
    every, heals, said = 100, [], ""
    for number in range(20):
        leave(three, "window")
        look(three, watch_seconds=every)
        if begun(three):
            heals.append(number)
            said += heal(three, watch_seconds=every).out
        passes(three, every)
    assert heals == [0, 1, 3, 7, 15]
    assert "4 times" not in said
    assert "5 times in a row: the next time is after 1600 s" in said
    assert published(three)["heal_tries", "three"] == 5
    passes(three, 11 * every)
    look(three, watch_seconds=every)
    heal(three, watch_seconds=every)
    for looks in (9, 1):
        passes(three, looks * every)
        look(three, watch_seconds=every)
        assert published(three)["heal_tries", "three"] == (6 if looks == 9 else 0), "it stayed well"


def test_a_look_in_the_middle_of_a_heal_forgets_no_try(
    three: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the slot well, and the last try long ago; the one that is under way is not noted yet."""
    for _ in range(2):
        leave(three, "window")
        look(three)
        heal(three)
    passes(three, 20)
    leave(three, "window")
    look(three)
    three.engine.asked.clear()
    looks: list[Done] = []
    ps = three.engine.runners.ps

    def seen() -> list[dict[str, Any]]:
        if three.asked() and not looks:
            looks.append(Done(0, "", ""))  # it asks as well
            looks[0] = look(three)
        return ps()

    monkeypatch.setattr(three.engine.runners, "ps", seen)
    assert heal(three).code == 0
    assert [it.out for it in looks] == [""]
    look(three)
    assert published(three)["heal_tries", "three"] == 3


def test_a_look_and_a_heal_that_note_at_once_lose_nothing(three: DirectoryHost) -> None:
    looks = three.root / "run/looks"
    looks.mkdir(parents=True)
    count = 100
    one = 'i=0; while [ $i -lt {count} ]; do i=$((i + 1)); note "$1/slot" "{key}$i=yes"; done'
    text = scripts.libraries("records")
    both = [
        subprocess.Popen(["sh", "-c", f"{text}\n{one.format(count=count, key=key)}", "sh", str(looks)])
        for key in ("look", "heal")
    ]
    assert [it.wait(60) for it in both] == [0, 0]
    assert len((looks / "slot").read_text().splitlines()) == 2 * count


def test_one_that_is_told_to_stay_again_and_again_does_not_go(three: DirectoryHost) -> None:
    """A client sends a keep_alive with each request, for days; then he asks no more."""

    def sends(seconds: int) -> None:
        three.engine.runners.all[C].seconds = seconds
        three.engine.runners.all[C].expires = time.time() + seconds

    told = []
    for number in range(20):
        sends(3000)
        look(three, watch_seconds=100)
        if begun(three):
            told.append(number)
            assert heal(three, watch_seconds=100).code == 0
        passes(three, 100)
    assert told == [0, 1, 3, 7, 15]
    assert published(three)["heal_tries", "three"] == 0, "it never left"
    sends(250)
    look(three, watch_seconds=100)
    assert begun(three) == 1, "it would go before the watch looks a third time"
    assert heal(three, watch_seconds=100).code == 0
    assert three.faults(WANTED) == {}
    leave(three, "away")
    look(three, watch_seconds=100)
    assert begun(three) == 1
    assert ": loaded again in " in heal(three, watch_seconds=100).out


def test_a_full_disk_is_no_reason_to_fight_on(three: DirectoryHost) -> None:
    """What was done is known for as long as the host runs, whatever becomes of the counters."""
    for wanted in (1, 1, 0):
        for record in (three.root / "var/lib/ollama-slots/watch").rglob("three"):
            record.unlink()
        leave(three, "window")
        look(three, watch_seconds=100)
        assert begun(three) == wanted
        heal(three, watch_seconds=100)


def test_a_date_that_jumps_says_nothing_of_how_long_a_slot_was_away(three: DirectoryHost) -> None:
    date = three.root / "bin/date"
    look(three)
    leave(three, "away")
    for year in (2031, 2026, 2030):
        date.write_text(f'#!/bin/sh\nexec /bin/date -d "{year}-01-01" "$@"\n')
        date.chmod(0o755)
        look(three)
    assert 0 <= published(three)["away_seconds_total", "three"] < 60


def test_what_somebody_was_loading_with_options_of_his_own_is_no_try(
    three: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look came between the end of the old runner and his: what is his is seen next, and healed at once."""
    leave(three, "away")
    look(three)
    answer = three.engine.generate
    monkeypatch.setattr(three.engine, "generate", lambda asked: answer(asked | {"options": {"num_ctx": 1024}}))
    done = heal(three)
    assert (done.code, done.out) == (0, "")
    monkeypatch.undo()
    look(three)
    assert published(three)["heal_tries", "three"] == 0
    assert heal(three).out.startswith(f"<5>three: {LEFT['window']}: loaded again in ")


def test_a_slot_that_cannot_be_loaded_fails_the_unit_and_is_told_once(three: DirectoryHost) -> None:
    look(three, watch_seconds=30)
    leave(three, "away")
    three.engine.fails["three:latest"] = "out of memory"
    look(three, watch_seconds=30)
    assert begun(three) == 1
    done = heal(three, watch_seconds=30)
    assert done.code == 1
    why = "not in memory; loaded again, and not resident as declared: out of memory"
    assert done.out == f"<3>three: {why}\n<3>not resident: three\n"
    look(three, watch_seconds=30)
    assert begun(three) == 1
    assert heal(three, watch_seconds=30).code == 1
    look(three, watch_seconds=30)
    assert begun(three) == 0, "it waits"
    del three.engine.fails["three:latest"]
    three.engine.generate({"model": "three:latest"})
    assert three.heal_failed
    look(three, watch_seconds=30)
    assert resident(three) == {"one", "two", "three"}


def test_the_unit_stays_failed_while_a_slot_is_that_it_could_not_load(three: DirectoryHost) -> None:
    three.engine.fails["three:latest"] = "out of memory"
    leave(three, "away")
    look(three, watch_seconds=30)
    assert heal(three, watch_seconds=30).code == 1
    heal(three, watch_seconds=30)
    three.engine.runners.evict(A)
    look(three, watch_seconds=30)
    done = heal(three, watch_seconds=30)
    assert (done.code, done.out.splitlines()[-1]) == (1, "<3>not resident: three")
    assert A in memory(three)
    del three.engine.fails["three:latest"]
    three.engine.generate({"model": "three:latest"})
    look(three, watch_seconds=30)
    assert not three.heal_failed


def test_who_waits_for_the_lock_has_it_between_two_slots(
    three: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a deploy that would mend what keeps slots from loading waits for the bounds of all their loads."""
    look(three)
    for weights_of in (A, B, C):
        three.engine.runners.evict(weights_of)
    had = three.root / "had"
    waits: list[subprocess.Popen[bytes]] = []
    answer = three.engine.generate

    def slowly(asked: dict[str, Any]) -> dict[str, Any]:
        if not waits:
            command = ["flock", "-w", "20", str(three.root / "run/ollama-slots.lock"), "touch", str(had)]
            waits.append(subprocess.Popen(command))
            time.sleep(0.5)
        else:
            assert had.exists()
        return answer(asked)

    monkeypatch.setattr(three.engine, "generate", slowly)
    assert heal(three).code == 0
    assert waits[0].wait(10) == 0
    assert {A, B, C} <= memory(three)


def test_what_deploys_change_is_not_looked_at_and_not_healed(three: DirectoryHost) -> None:
    look(three)
    leave(three, "away")
    three.warm_up_state["ActiveState"] = "activating"
    before = three.metrics.read_text()
    look(three)
    assert (begun(three), three.metrics.read_text()) == (0, before)
    assert heal(three).out == ""
    assert C not in memory(three)


def test_a_name_that_means_something_else_is_a_deploys_to_mend(three: DirectoryHost) -> None:
    three.engine.delete("three:latest")
    assert look(three).out.startswith(
        "<4>three: expected three:latest as it was made, found that Ollama does not list it: deploy again"
    )
    three.engine.copy("one:latest", "three:latest")
    assert "found that Ollama lists another: deploy again" in look(three).out
    assert begun(three) == 0
    assert resident(three) == {"one", "two"}


def test_an_ollama_that_does_not_answer_has_no_slot_resident(three: DirectoryHost) -> None:
    look(three)
    three.stop_engine()
    assert look(three).out == f"<4>Ollama does not answer at {three.engine.url}\n"
    assert look(three).out == ""
    assert (begun(three), resident(three)) == (0, set())
    three.start_engine()
    look(three)
    assert begun(three) == 1


def test_with_a_keep_alive_that_ends_what_has_gone_is_as_declared(three: DirectoryHost) -> None:
    leave(three, "away")
    assert look(three, keep_alive="1h").out == ""
    assert begun(three) == 0
    assert resident(three) == {"one", "two"}
    three.engine.runners.dies(A)
    look(three, keep_alive="1h")
    assert begun(three) == 1


def test_a_slot_that_is_gone_is_forgotten(three: DirectoryHost) -> None:
    look(three)
    (three.root / "var/lib/ollama-slots/three.slot").unlink()
    look(three)
    kept = {it.name for it in (three.root / "var/lib/ollama-slots/watch").rglob("*") if it.is_file()}
    assert kept == {"one", "two"}
    assert not any("three" in key for key in published(three))


def test_where_no_slot_was_ever_made_there_is_nothing_to_look_at(host: DirectoryHost) -> None:
    assert look(host).out == ""
    assert not (host.root / "var/lib/ollama-slots").exists()


def test_before_the_first_warm_up_there_is_no_place_for_metrics(three: DirectoryHost) -> None:
    three.metrics.parent.rmdir()
    for _ in range(2):
        assert look(three).out == ""


def test_slots_of_the_same_weights_are_healed_once(three: DirectoryHost) -> None:
    holds(three, "four", "c:1b")
    look(three)
    leave(three, "away")
    look(three)
    assert heal(three).code == 0
    assert len(three.engine.runners.loaded) == 1
    look(three)
    assert resident(three) == {"one", "two", "three", "four"}


def test_the_warm_up_keeps_what_the_watch_counted(three: DirectoryHost, tmp_path: Path) -> None:  # noqa: ARG001
    look(three)
    leave(three, "away")
    look(three)
    heal(three)
    three.install_warm_up(WANTED)
    assert three.warm_up().code == 0
    assert published(three)["heals_total", "three", "away"] == 1


def test_a_deploy_sees_a_look_succeed(three: DirectoryHost) -> None:
    """Where systemd cannot have the sandbox of the unit, as in some containers, a timer alone says nothing."""
    assert three.run("looking").code == 0
    three.look_fails = True
    done = three.run("looking")
    assert done.code == 1
    assert done.err.startswith("expected ollama-slots-watch.service to look at the slots, found that it fails: ")
    assert 'watch = "off"' in done.err
    assert three.found(WANTED).watch_fails
    three.look_fails = False
    assert three.run("looking").code == 0
    assert not three.found(WANTED).watch_fails


def test_what_is_loaded_again_and_not_as_declared_is_told_of(
    three: DirectoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the GPU has no room for all of it any more."""
    leave(three, "cpu")
    look(three)
    answer = three.engine.generate

    def in_part(asked: dict[str, Any]) -> dict[str, Any]:
        said = answer(asked)
        if runner := three.engine.runners.all.get(C):
            runner.size_vram = int(1.5 * GB)
        return said

    monkeypatch.setattr(three.engine, "generate", in_part)
    done = heal(three)
    assert done.code == 1
    assert f"<3>three: {LEFT['cpu']}; loaded again, and not resident as declared: {LEFT['cpu']}" in done.out
    assert published(three)["resident", "three"] == 0

"""host/rotate.sh: a slot gets another model, or stays as it was."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import (
    holds,
    memory,
    modelfile,
    names,
    pulled,
    pulled_large,
    rotate,
    rotation,
    state_of,
    weights,
)

A, B, C = weights("a:1b"), weights("b:1b"), weights("c:1b")


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    """Slot one holds a:1b, and b:1b is there."""
    holds(host, "one", "a:1b")
    pulled(host, "b:1b")
    return host


def left_over(host: DirectoryHost) -> list[str]:
    """Files that nobody needs once a script has run."""
    kept = [host.root / it for it in ("run/ollama-slots", "var/lib/ollama-slots", "etc/ollama")]
    found = [it for directory in kept for it in directory.rglob("*") if it.is_file()]
    own = host.store / ".ollama-slots"
    return [str(it) for it in found if it.suffix not in (".slot", ".Modelfile") or "run" in it.parts] + [
        str(it) for it in own.glob("*")
    ]


def test_a_slot_gets_another_model(one: DirectoryHost) -> None:
    before = one.state("one")
    done = rotate(one, "one", "b:1b")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert names(one, "one") == {"latest": B, "current": B, "previous": A}
    assert memory(one) == {B}
    state = one.state("one")
    assert (state["model"], state["weights"], state["context"]) == ("b:1b", B, "4096")
    assert state["variant"] == state["loaded"] == one.digest("one:latest")
    assert int(state["made"]) > 10**9
    assert one.state("previous/one") == before
    modelfiles = one.root / "etc/ollama/modelfiles"
    assert (modelfiles / "one.Modelfile").read_text() == modelfile("b:1b")
    assert (modelfiles / "previous/one.Modelfile").read_text() == modelfile("a:1b")
    assert left_over(one) == []


def test_it_is_all_nobodys_to_read_but_what_the_warm_up_has_to(one: DirectoryHost) -> None:
    assert rotate(one, "one", "b:1b").code == 0
    modes = {
        it: (one.root / it).stat().st_mode & 0o777
        for it in ("etc/ollama/modelfiles", "var/lib/ollama-slots/one.slot", "run/ollama-slots.lock")
    }
    assert list(modes.values()) == [0o700, 0o644, 0o600], modes


def test_the_first_model_of_a_slot_has_nothing_before_it(host: DirectoryHost) -> None:
    pulled(host, "a:1b")
    assert rotate(host, "one", "a:1b", unload_old="no").code == 0
    assert names(host, "one") == {"latest": A, "current": A}
    assert host.state("one")["weights"] == A
    assert host.state("previous/one") == {}


def test_it_is_proven_before_anybody_is_switched_to_it(one: DirectoryHost) -> None:
    """The candidate is asked by its own name, what was made is on the disk, and then the name is."""
    assert rotate(one, "one", "b:1b").code == 0
    assert one.asked() == [
        "create one:current",
        "ask one:current",
        "unload one:previous",
        "ask one:latest",
    ]
    assert f"-f {one.store} {one.store}/blobs" in (one.root / "synced").read_text()


def test_where_names_are_links_ollama_copies_them(new: DirectoryHost) -> None:
    holds(new, "one", "a:1b")
    pulled(new, "b:1b")
    assert rotate(new, "one", "b:1b").code == 0
    assert names(new, "one") == {"latest": B, "current": B, "previous": A}
    assert [it for it in new.asked() if "copy" in it] == [
        "/api/copy one:latest one:previous",
        "/api/copy one:current one:latest",
    ]


def fails(host: DirectoryHost) -> None:
    host.engine.fails["one:current"] = 'unable to "load" model'


def silent(host: DirectoryHost) -> None:
    host.engine.silent.add("one:current")


def mute(host: DirectoryHost) -> None:
    host.engine.mute.add("one:current")


def narrow(host: DirectoryHost) -> None:
    host.engine.runners.narrow[B] = 2048


def on_cpu(host: DirectoryHost) -> None:
    host.engine.runners.on_cpu.add(B)


def in_part(host: DirectoryHost) -> None:
    host.engine.runners.in_part[B] = 0.75


def leaves(host: DirectoryHost) -> None:
    host.engine.runners.leaving[B] = [10**6]


def gone(host: DirectoryHost) -> None:
    host.engine.runners.leaving[B] = [0] * 9


def not_made(host: DirectoryHost) -> None:
    host.engine.create_fails = "no space left on device"


def not_on_disk(host: DirectoryHost) -> None:
    (host.root / "no-sync").touch()


def not_switched(host: DirectoryHost) -> None:
    (host.store / ".ollama-slots").write_text("in the way")


def no_state(host: DirectoryHost) -> None:
    (host.root / "run/ollama-slots").write_text("in the way")


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (fails, 'the candidate does not answer: unable to "load" model'),
        (silent, "the candidate does not answer: curl: (52) Empty reply from server"),
        (mute, "the candidate does not answer: "),
        (narrow, "the candidate is refused: context window of 2048 tokens, not 4096"),
        (on_cpu, "the candidate is refused: only 0 of its 1000000000 bytes in GPU memory"),
        (in_part, "the candidate is refused: only 750000000 of its 1000000000 bytes in GPU memory"),
        (leaves, "the candidate is refused: about to be unloaded"),
        (gone, "the candidate is refused: not in memory"),
        (not_made, "ollama create failed: Error: no space left on device"),
        (no_state, "cannot make its directories"),
    ],
)
def test_what_fails_leaves_the_slot_as_it_was(
    one: DirectoryHost, fault: Callable[[DirectoryHost], None], why: str
) -> None:
    before = one.picture()
    fault(one)
    done = rotate(one, "one", "b:1b", load_seconds=1)
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(f"slot one: {why}"), done.err
    assert done.err.endswith("; the slot is unchanged\n")
    assert one.picture() == before
    assert memory(one) == {A}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (not_on_disk, "cannot write the candidate to the disk: sync: error"),
        (not_switched, "cannot switch to the candidate: "),
    ],
)
def test_where_no_name_can_be_moved_the_slot_serves_what_it_did(
    one: DirectoryHost, fault: Callable[[DirectoryHost], None], why: str
) -> None:
    """Nor can its candidate's be put back: the next deploy does."""
    before = one.picture()
    fault(one)
    done = rotate(one, "one", "b:1b")
    assert (done.code, f"slot one: {why}" in done.err) == (1, True), done
    assert names(one, "one") == {"latest": A, "current": B}
    after = one.picture()
    for it in (before, after):
        del it["names"]["one:current"]
    assert after == before


def test_a_copy_that_is_refused_leaves_it_as_it_was(new: DirectoryHost) -> None:
    holds(new, "one", "a:1b")
    pulled(new, "b:1b")
    before = new.picture()
    new.engine.refuses = "out of patience"
    done = rotate(new, "one", "b:1b")
    assert done.err == "slot one: cannot switch to the candidate: out of patience; the slot is unchanged\n"
    after = new.picture()
    # What cannot be copied cannot be put back either: the next deploy does.
    assert after["names"].pop("one:current") != before["names"].pop("one:current")
    assert after == before


def test_a_copy_is_believed_when_ollama_lists_it(new: DirectoryHost) -> None:
    holds(new, "one", "a:1b")
    pulled(new, "b:1b")
    new.engine.deaf = True
    done = rotate(new, "one", "b:1b")
    assert done.code == 1
    assert "slot one: cannot switch to the candidate: one:previous should have digest " in done.err
    assert names(new, "one") == {"latest": A, "current": B}
    assert new.state("one")["weights"] == A


def test_a_candidate_of_a_slot_that_holds_nothing_is_gone_when_it_is_refused(host: DirectoryHost) -> None:
    pulled(host, "b:1b")
    on_cpu(host)
    assert rotate(host, "one", "b:1b").code == 1
    assert names(host, "one") == {}
    assert memory(host) == set()


@pytest.mark.parametrize("fault", [on_cpu, in_part])
def test_where_no_gpu_is_asked_for_none_is_looked_for(
    one: DirectoryHost, fault: Callable[[DirectoryHost], None]
) -> None:
    fault(one)
    assert rotate(one, "one", "b:1b", gpu="no").code == 0
    assert names(one, "one")["latest"] == B


def test_one_that_leaves_is_asked_until_it_has_come_again(one: DirectoryHost) -> None:
    one.engine.runners.leaving[B] = [3]
    assert rotate(one, "one", "b:1b", load_seconds=9).code == 0
    assert one.engine.runners.loaded == ["one:current", "one:current"]
    assert memory(one) == {B}


def test_one_that_was_loaded_under_a_manifest_that_is_gone_is_loaded_anew(one: DirectoryHost) -> None:
    """It answers, and nobody can tell what it is made of."""
    one.engine.create("stray:latest", "FROM b:1b\nPARAMETER num_ctx 4096\nPARAMETER seed 1\n")
    one.engine.generate({"model": "stray:latest"})
    one.engine.delete("stray:latest")
    done = rotate(one, "one", "b:1b")
    assert done.code == 0, done
    assert one.engine.runners.loaded == ["stray:latest", "one:current"]


def test_one_that_somebody_unloaded_is_asked_once_more(one: DirectoryHost) -> None:
    one.engine.runners.leaving[B] = [0]
    assert rotate(one, "one", "b:1b").code == 0
    assert one.engine.runners.loaded == ["one:current", "one:current"]


def test_where_models_may_leave_by_declaration_a_time_is_no_fault(one: DirectoryHost) -> None:
    leaves(one)
    assert rotate(one, "one", "b:1b", keep_alive='"24h"').code == 0


@pytest.mark.parametrize("refused", [False, True])
def test_where_both_do_not_fit_the_old_one_makes_room(one: DirectoryHost, refused: bool) -> None:
    one.engine.runners.most = 1
    if refused:
        on_cpu(one)
    done = rotate(one, "one", "b:1b", make_room="yes")
    assert bool(done.code) is refused
    assert one.engine.runners.evicted == []
    assert one.engine.runners.unloaded[0] == A
    assert memory(one) == ({A} if refused else {B})
    assert names(one, "one")["latest"] == (A if refused else B)


def test_where_the_old_one_does_not_come_back_either_it_says_so(one: DirectoryHost) -> None:
    on_cpu(one)
    one.engine.fails["one:latest"] = "out of memory"
    done = rotate(one, "one", "b:1b", make_room="yes")
    assert done.code == 1
    assert done.err.endswith("; the slot is unchanged, but slot one is not in memory: out of memory\n")


@pytest.mark.parametrize("unload_old", ["yes", "no"])
def test_the_old_one_is_unloaded_where_no_slot_uses_it(one: DirectoryHost, unload_old: str) -> None:
    assert rotate(one, "one", "b:1b", unload_old=unload_old).code == 0
    assert memory(one) == ({B} if unload_old == "yes" else {A, B})


@pytest.mark.parametrize("refused", [False, True])
def test_weights_that_serve_another_slot_stay_loaded(one: DirectoryHost, refused: bool) -> None:
    """The runner keeps the digest of whoever loaded it, and the state of the slot says so."""
    holds(one, "two", "b:1b")
    [runner] = [it for it in one.engine.runners.all.values() if it.weights == B]
    if refused:
        fails(one)
    done = rotate(one, "one", "b:1b", alone="no", more='SYSTEM """Be brief."""\n', known=one.digest("two:latest"))
    assert bool(done.code) is refused
    assert one.engine.runners.all[B] is runner
    if not refused:
        assert one.state("one")["loaded"] == runner.digest == one.digest("two:latest")
        assert one.state("one")["variant"] == one.digest("one:latest") != runner.digest


def test_a_runner_is_found_though_no_name_and_no_state_has_its_digest(one: DirectoryHost) -> None:
    """As by one that a user made of the same weights."""
    one.engine.create("mine:latest", modelfile("b:1b", 4096, "PARAMETER top_k 3\n"))
    one.engine.generate({"model": "mine:latest"})
    assert rotate(one, "one", "b:1b").code == 0
    assert one.engine.runners.loaded == ["mine:latest"]
    assert one.state("one")["loaded"] == one.digest("mine:latest")


def test_damaged_weights_are_taken_away_for_the_next_pull(one: DirectoryHost) -> None:
    large = pulled_large(one, "large:1b")
    before = one.picture()
    with one.engine.files.blob(large).open("r+b") as blob:
        blob.write(b"power cut")
    done = rotate(one, "one", "large:1b")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "slot one: the candidate does not answer: unable to load model: invalid file magic: its weights, "
        f"sha256-{large}, are damaged on the disk: fetching them again\n"
    )
    assert not one.engine.files.blob(large).exists()
    assert one.picture() == before


def test_what_is_switched_and_does_not_answer_is_told_of_and_written_down(one: DirectoryHost) -> None:
    one.engine.fails["one:latest"] = "unable to load model"
    done = rotate(one, "one", "b:1b")
    assert (done.code, done.err) == (1, "slot one: was switched, but does not answer: unable to load model\n")
    assert names(one, "one") == {"latest": B, "current": B, "previous": A}
    assert (one.state("one")["weights"], one.state("previous/one")["weights"]) == (B, A)


def test_a_state_that_cannot_be_written_is_no_success(one: DirectoryHost) -> None:
    (one.root / "var/lib/ollama-slots/one.slot.new").mkdir()
    done = rotate(one, "one", "b:1b")
    assert done.code == 1
    assert done.err.endswith("slot one: holds the new model, but its state could not be written\n")


def test_a_modelfile_that_somebody_deleted_keeps_no_slot_from_its_next_model(one: DirectoryHost) -> None:
    path = one.root / "etc/ollama/modelfiles"
    (path / "one.Modelfile").unlink()
    done = rotate(one, "one", "b:1b")
    assert (done.code, done.err) == (0, "")
    assert one.state("one")["weights"] == B
    assert one.state("previous/one")["weights"] == A
    assert not (path / "previous/one.Modelfile").exists(), "another's would be worse than none"
    done = back(one)
    assert (done.code, done.err) == (0, "")
    assert one.state("one")["weights"] == A
    assert not (path / "one.Modelfile").exists()
    assert (path / "previous/one.Modelfile").read_text() == modelfile("b:1b")


def back(host: DirectoryHost, **other: Any) -> Any:
    state = state_of(host, "a:1b", modelfile("a:1b"))
    return rotate(host, "one", "a:1b", stdin="\n", rolls_back="yes", state=state.lines(), **other)


@pytest.fixture
def moved_on(one: DirectoryHost) -> DirectoryHost:
    """Slot one held a:1b, and holds b:1b."""
    assert rotate(one, "one", "b:1b").code == 0
    one.asked()
    return one


def test_a_rollback_takes_what_was_before(moved_on: DirectoryHost) -> None:
    now, before = moved_on.state("one"), moved_on.state("previous/one")
    assert back(moved_on).code == 0
    assert moved_on.asked()[0] == "ask one:current", "nothing is made"
    assert names(moved_on, "one") == {"latest": A, "current": A, "previous": B}
    assert memory(moved_on) == {A}
    state = moved_on.state("one")
    assert state["variant"] == before["variant"]
    assert moved_on.state("previous/one") == now
    assert (moved_on.root / "etc/ollama/modelfiles/one.Modelfile").read_text() == modelfile("a:1b")
    assert (moved_on.root / "etc/ollama/modelfiles/previous/one.Modelfile").read_text() == modelfile("b:1b")


def test_a_rollback_that_is_refused_leaves_it_as_it_was(moved_on: DirectoryHost) -> None:
    before = moved_on.picture()
    moved_on.engine.runners.on_cpu.add(A)
    assert back(moved_on).code == 1
    assert moved_on.picture() == before


def test_a_rollback_that_died_after_its_switch_is_written_down(moved_on: DirectoryHost) -> None:
    now, before = moved_on.state("one"), moved_on.state("previous/one")
    moved_on.engine.copy("one:latest", "one:third")
    moved_on.engine.copy("one:previous", "one:latest")
    moved_on.engine.copy("one:third", "one:previous")
    assert back(moved_on).code == 0
    assert moved_on.state("one")["variant"] == before["variant"]
    assert moved_on.state("previous/one") == now
    assert names(moved_on, "one")["latest"] == A


def test_a_rotation_that_died_after_its_switch_is_written_down(one: DirectoryHost) -> None:
    before = one.state("one")
    one.engine.create("one:current", modelfile("b:1b"))
    one.engine.copy("one:latest", "one:previous")
    one.engine.copy("one:current", "one:latest")
    assert rotate(one, "one", "b:1b").code == 0
    assert one.state("one")["variant"] == one.digest("one:latest")
    assert one.state("previous/one") == before


def test_where_ollama_does_not_run_nothing_is_done(one: DirectoryHost) -> None:
    one.stop_engine()
    done = rotate(one, "one", "b:1b")
    assert done.code == 1
    assert done.err.startswith("slot one: Ollama is not running, so its model store is unknown; the slot is")


def test_it_waits_for_whoever_reads_or_changes_this_host_and_says_for_whom(one: DirectoryHost) -> None:
    with (one.root / "run/ollama-slots.lock").open("w") as lock:
        lock.write("the rotation of slot two, begun at 10:30:00 as process 7\n")
        lock.flush()
        for kind in (fcntl.LOCK_SH, fcntl.LOCK_EX):
            fcntl.flock(lock, kind)
            done = rotate(one, "one", "b:1b")
            assert done.code == 1
            assert done.err == (
                "waited 1 s for the rotation of slot two, begun at 10:30:00 as process 7 on this host; "
                "try again when it is done\n"
            )
    assert one.asked() == []


def test_a_lock_that_cannot_be_made_is_no_wait(one: DirectoryHost) -> None:
    lock = one.root / "run/ollama-slots.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    done = rotate(one, "one", "b:1b", lock_seconds=2100)
    assert (done.code, done.err) == (1, f"cannot write {lock}\n")


def test_what_takes_the_place_of_another_is_later_though_the_clock_was_ahead(one: DirectoryHost) -> None:
    """Else a rollback would take it for the older one of the two."""
    state = one.root / "var/lib/ollama-slots/one.slot"
    state.write_text(re.sub(r"made=\d+", "made=2051222400", state.read_text()))
    assert rotate(one, "one", "b:1b").code == 0
    assert (one.state("one")["made"], one.state("previous/one")["made"]) == ("2051222401", "2051222400")


def test_two_at_once_come_one_after_the_other(one: DirectoryHost) -> None:
    holds(one, "two", "c:1b")
    both = [
        one.start("rotate", **rotation(one, name, "b:1b", window) | {"lock_seconds": 20, "alone": "no"})
        for name, window in (("one", 4096), ("two", 4096))
    ]
    assert [it.wait(30) for it in both] == [0, 0]
    whose = [it.rpartition(" ")[2].partition(":")[0] for it in one.asked()]
    assert whose in (["one"] * 4 + ["two"] * 4, ["two"] * 4 + ["one"] * 4)
    for process in both:
        for pipe in (process.stdout, process.stderr):
            assert pipe
            pipe.close()


def test_small_blobs_that_a_power_cut_left_empty_are_made_anew_and_large_ones_are_not_read(
    one: DirectoryHost,
) -> None:
    params = next(it["digest"] for it in one.engine.model("one:latest").layers if "params" in it["mediaType"])
    one.engine.files.blob(params).write_text("")
    large = one.engine.files.blob("e" * 64)
    large.write_bytes(b"x" * 300_000)
    assert rotate(one, "one", "b:1b").code == 0
    assert one.engine.model("one:latest").params == {"num_ctx": 4096}
    assert large.exists()

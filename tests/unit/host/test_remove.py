"""host/remove.sh: what is ours is unloaded, put back, deleted and forgotten; and how an unload waits."""

from __future__ import annotations

import fcntl
import threading
from typing import Any

import pytest

from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, Done
from tests.unit.host.slots import holds, memory, modelfile, names, pulled, weights

A, B = weights("a:1b"), weights("b:1b")


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    holds(host, "one", "a:1b")
    return host


def remove(host: DirectoryHost, *deleted: str, **what: Any) -> Done:
    return host.run("remove", *deleted, **what | {"url": host.engine.url, "lock_seconds": 1})


def test_a_slot_goes_whole(one: DirectoryHost) -> None:
    holds(one, "one", "b:1b")
    tags = ("one:latest", "one:current", "one:previous")
    done = remove(one, *tags, unloaded="one:latest", forgotten="one")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert names(one, "one") == {}
    assert memory(one) == {A}
    assert one.state("one") == one.state("previous/one") == {}
    states = one.root / "var/lib/ollama-slots"
    assert (one.root / "synced").read_text().endswith(f"{states}\n{states}/previous\n"), "for good"
    assert [it for it in (one.root / "etc/ollama/modelfiles").rglob("*") if it.is_file()] == []
    assert set(one.engine.files.names()) == {"a:1b", "b:1b"}


def test_what_is_gone_already_is_no_error(one: DirectoryHost) -> None:
    assert remove(one, "no:1b", unloaded="no:1b", forgotten="no", discarded="f" * 64).code == 0
    assert names(one, "one") == {"latest": A, "current": A}
    assert memory(one) == {A}


def test_a_slot_that_is_declared_no_more_and_was_removed_by_hand_is_forgotten(host: DirectoryHost) -> None:
    """Else each warm-up would wait for it, and fail."""
    both, one = declared("a:1b", "b:1b"), declared("a:1b")
    for model in ("a:1b", "b:1b"):
        host.engine.publish(model)
    host.deploy(both)
    assert host.plan(one) == [], "what is not declared any more stays"
    for tag in ("latest", "current"):
        host.engine.delete(f"two:{tag}")
    assert host.deploy(one) == [
        "unload b:1b, no slot uses it: two was changed by hand",
        "forget slot two: it is not declared, and its name is gone",
    ]
    assert host.state("two") == {}
    assert host.state("one") != {}
    assert host.plan(one) == []


def test_what_was_made_for_a_slot_that_is_forgotten_goes_with_it_and_nothing_of_anybody_elses(
    host: DirectoryHost,
) -> None:
    """No record knows of it any more: no prune would list it."""
    one = declared("a:1b")
    for model in ("a:1b", "b:1b", "c:1b"):
        host.engine.publish(model)
    for model in ("b:1b", "c:1b"):
        host.deploy(declared("a:1b", model))
    assert set(names(host, "two")) == {"latest", "current", "previous"}
    host.engine.delete("two:latest")
    host.engine.create("two:previous", "FROM a:1b\nPARAMETER num_ctx 99\n")
    host.deploy(one)
    assert set(names(host, "two")) == {"previous"}, "which somebody has made"


def test_what_cannot_be_deleted_is_told_of(one: DirectoryHost) -> None:
    """What an Ollama that does not answer has, is not gone, and is known on."""
    record = one.root / "var/lib/ollama-slots/bases"
    record.write_text("a:1b 2026-01-15T10:30:00Z\n")
    one.stop_engine()
    done = remove(one, "a:1b", forgotten="one")
    assert (done.code, done.err) == (1, "cannot delete a:1b: Ollama does not answer\n")
    assert one.engine.files.read("a:1b")
    assert record.read_text().startswith("a:1b ")
    assert one.state("one") != {}


def test_an_unload_ends_when_the_process_does(one: DirectoryHost) -> None:
    """What comes next may need its memory."""
    one.engine.runners.slow_unload = 0.6
    assert remove(one, unloaded="one:latest").code == 0
    assert list(one.proc.path.glob("[0-9]*/cmdline")) == [one.proc.path / f"{one.main}/cmdline"]
    assert memory(one) == set()


def test_an_unload_is_asked_for_until_it_is_heard(one: DirectoryHost) -> None:
    one.engine.runners.lost_unloads = 2
    assert remove(one, unloaded="one:latest").code == 0
    assert memory(one) == set()
    assert one.asked().count("unload one:latest") == 3


def test_what_died_is_unloaded_too_for_ollama_goes_on_counting_it(one: DirectoryHost) -> None:
    one.engine.runners.dies(A)
    assert remove(one, unloaded="one:latest").code == 0
    assert memory(one) == set()


def test_an_unload_goes_by_weights_whoever_loaded_them(one: DirectoryHost) -> None:
    """Under a manifest that no name has any more."""
    one.engine.create("one:latest", modelfile("a:1b", 4096, "PARAMETER top_k 7\n"))
    one.engine.runners.slow_unload = 0.4
    assert remove(one, unloaded="one:latest").code == 0
    assert memory(one) == set()


def test_what_a_user_loads_meanwhile_is_not_waited_for(one: DirectoryHost) -> None:
    one.engine.runners.slow_unload = 0.3

    def again() -> None:
        one.engine.generate({"model": "one:latest", "prompt": "Hi"})

    timer = threading.Timer(0.31, again)
    timer.start()
    assert remove(one, unloaded="one:latest").code == 0
    timer.join()


def test_other_runners_stay(one: DirectoryHost) -> None:
    holds(one, "two", "b:1b")
    assert remove(one, unloaded="one:latest").code == 0
    assert memory(one) == {B}


def test_a_candidate_that_was_left_is_put_back(one: DirectoryHost) -> None:
    pulled(one, "b:1b")
    one.engine.create("one:current", modelfile("b:1b"))
    one.engine.generate({"model": "one:current"})
    assert remove(one, unloaded="one:current", interrupted="one").code == 0
    assert names(one, "one") == {"latest": A, "current": A}
    assert memory(one) == {A}


def test_the_candidate_of_a_slot_that_serves_nothing_is_deleted(host: DirectoryHost) -> None:
    pulled(host, "a:1b")
    host.engine.create("one:current", modelfile("a:1b"))
    assert remove(host, interrupted="one").code == 0
    assert names(host, "one") == {}


def test_the_candidate_of_a_rollback_is_what_was_before_again(one: DirectoryHost) -> None:
    holds(one, "one", "b:1b")
    one.engine.copy("one:previous", "one:current")
    one.engine.copy("one:latest", "one:previous")  # it died in its switch
    assert remove(one, interrupted="one").code == 0
    assert names(one, "one") == {"latest": B, "current": B, "previous": A}


def test_nothing_is_put_back_where_ollama_does_not_run(one: DirectoryHost) -> None:
    one.stop_engine()
    done = remove(one, interrupted="one")
    assert (done.code, done.err) == (1, "cannot put one:current back: Ollama is not running\n")


def test_slots_keep_knowing_a_runner_whose_name_goes(one: DirectoryHost) -> None:
    digest = one.digest("one:latest")
    one.engine.create("mine:latest", modelfile("a:1b", 4096, "PARAMETER top_k 7\n"))
    mine = one.digest("mine:latest")
    one.restart()
    one.engine.generate({"model": "mine:latest"})
    one.umask = 0o077
    assert remove(one, "mine:latest").code == 0
    assert one.state("one")["loaded"] == mine != digest
    assert one.state("one")["variant"] == digest
    assert (one.root / "var/lib/ollama-slots/one.slot").stat().st_mode & 0o777 == 0o644, "the warm-up reads it"


def test_a_base_that_goes_is_recorded_no_more(one: DirectoryHost) -> None:
    pulled(one, "b:1b", "xb:1b")
    record = one.root / "var/lib/ollama-slots/bases"
    record.write_text("b:1b 2026-01-15T10:30:00Z\nxb:1b 2026-01-15T10:30:00Z\n")
    assert remove(one, "b:1b").code == 0
    assert record.read_text() == "xb:1b 2026-01-15T10:30:00Z\n"
    assert not one.engine.files.blob(B).exists()


def test_it_waits_for_a_rotation(one: DirectoryHost) -> None:
    with (one.root / "run/ollama-slots.lock").open("w") as lock:
        for kind in (fcntl.LOCK_SH, fcntl.LOCK_EX):
            fcntl.flock(lock, kind)
            assert remove(one, "one:latest").code == 1
    assert names(one, "one") == {"latest": A, "current": A}

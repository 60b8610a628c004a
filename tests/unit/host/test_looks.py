"""What is read of a host: host/probe.sh, details.sh, stored.sh and speed.sh, read as the product does."""

from __future__ import annotations

import fcntl

import pytest

from ollama_slots.core.gpus import Driven
from ollama_slots.facts import HostStored, SlotSpeeds
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.fake_store import LIST
from tests.unit.host.slots import holds, modelfile, pulled, pulled_large, weights

A, B = weights("a:1b"), weights("b:1b")
AB = declared("a:1b", "b:1b")


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    holds(host, "one", "a:1b")
    return host


def test_a_probe_tells_all_of_a_host(one: DirectoryHost) -> None:
    holds(one, "one", "b:1b")
    (one.root / "var/lib/ollama-slots/bases").write_text("b:1b 2026-01-15T10:30:00Z\n")
    one.install_warm_up(AB)
    found = one.found(AB)
    assert (found.lacks, found.busy, found.version) == (None, None, "0.34.4")
    assert found.units["ollama.service"]["MainPID"] == str(one.main)
    assert found.units["ollama-warmup.service"]["ActiveState"] == "active"
    assert found.environ == {"OLLAMA_KEEP_ALIVE": "-1", "OLLAMA_MAX_LOADED_MODELS": "9"}
    assert found.url == found.listens == found.at == found.warms == one.engine.url
    assert found.listed
    assert {it.name for it in found.listed.values()} == {
        "a:1b",
        "b:1b",
        "one:latest",
        "one:current",
        "one:previous",
    }
    assert found.digest("one") == one.digest("one:latest")
    assert found.runners
    assert {it.digest for it in found.runners} == {one.digest("one:latest"), one.digest("one:previous")}
    assert all(it.for_ever and it.size == it.size_vram for it in found.runners)
    assert found.live == {A, B}
    assert (found.states["one"].weights, found.previous["one"].weights) == (B, A)
    assert found.states["one"].variant == one.digest("one:latest")
    assert set(found.bases) == {"registry.ollama.ai/library/b:1b"}
    assert set(found.modelfiles) == {"one"}
    assert one.faults(declared("b:1b")) == {}


def test_a_runner_that_died_is_listed_and_does_not_live(one: DirectoryHost) -> None:
    one.engine.runners.dies(A)
    found = one.found(AB)
    assert found.runners
    assert len(found.runners) == 1
    assert found.live == frozenset()


def test_an_ollama_that_does_not_run_is_unknown(one: DirectoryHost) -> None:
    one.stop_engine()
    found = one.found(AB)
    assert (found.environ, found.listens, found.listed, found.runners) == (None, None, None, None)
    assert found.states["one"].weights == A


def test_an_ollama_that_a_script_started_is_found_below_it(one: DirectoryHost) -> None:
    """The unit's main process listens nowhere."""
    shell = one.proc.start("/bin/sh", "/opt/ollama.sh")
    (one.proc.path / f"{one.main}/status").write_text(f"Name:\tollama\nPid:\t{one.main}\nPPid:\t{shell}\n")
    one.proc.start("/usr/bin/logger", parent=shell)
    one.programs.main(one.unit).write_text(f"{shell}\n")
    found = one.found(AB)
    assert found.listens == one.engine.url
    assert found.environ
    pulled(one, "b:1b")
    assert one.details(["b:1b"]).blobs


@pytest.mark.parametrize("missing", ["root", "systemd"])
def test_a_host_that_lacks_something_is_not_looked_at_further(one: DirectoryHost, missing: str) -> None:
    if missing == "root":
        (one.root / "bin/id").write_text("#!/bin/sh\n[ $1 != -u ] && echo me || echo 1000\n")
    else:
        (one.root / "run/systemd/system").rmdir()
    found = one.found(AB)
    assert found.lacks
    assert missing in found.lacks
    assert found.states == {}


def test_one_that_is_being_changed_is_not_looked_at(one: DirectoryHost) -> None:
    with (one.root / "run/ollama-slots.lock").open("w") as lock:
        lock.write("the rotation of slot two\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert one.found(AB).busy == "the rotation of slot two"
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert one.found(AB).busy is None, "two may look at once"


def test_nothing_is_changed_by_a_look(one: DirectoryHost) -> None:
    before = one.picture()
    one.found(AB)
    one.details(["a:1b", "one:latest"])
    one.stored()
    assert one.asked() == []
    assert one.picture() == before


def test_details_are_what_ollama_shows(one: DirectoryHost) -> None:
    pulled(one, "eyes:1b", sees=True, trained=2048)
    (one.root / "driver").write_text("00000000:01:00.0, 80000, 70000, 9.0\n")
    details = one.details(["a:1b", "eyes:1b", "no:1b"])
    assert set(details.shown) == {f"registry.ollama.ai/library/{it}:1b" for it in ("a", "eyes")}
    assert (details.weights("a:1b"), details.weights("eyes:1b")) == (A, weights("eyes:1b"))
    eyes = details.shown["registry.ollama.ai/library/eyes:1b"]
    assert (eyes.sees, eyes.trained_context) == (True, 2048)
    assert details.driven == (Driven(pci="0000:01:00.0", total=80000 << 20, free=70000 << 20, compute="9.0"),)
    assert details.damaged == {}
    assert details.disk_free
    assert details.blobs
    assert {A, weights("eyes:1b")} <= details.blobs.keys()


def test_details_without_a_gpu_and_without_models(host: DirectoryHost) -> None:
    details = host.details([])
    assert (details.shown, details.driven) == ({}, ())


@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_weights_that_are_not_on_the_disk_whole_are_told_of(one: DirectoryHost, damage: str) -> None:
    """The engine goes on showing what it has once read."""
    blob = one.engine.files.blob(A)
    if damage == "gone":
        blob.unlink()
    else:
        blob.write_text("cut" if damage == "cut" else "")
    details = one.details(["a:1b"])
    assert details.damaged == {"registry.ollama.ai/library/a:1b": (A,)}
    assert details.shown == {}


def test_weights_that_only_their_digest_betrays_are_read_where_they_are_doubted(one: DirectoryHost) -> None:
    one.engine.files.blob(A).write_text("weights\nA:1b")
    assert one.details(["a:1b"]).damaged == {}
    assert one.details(["a:1b"], doubted=(A,)).damaged == {"registry.ollama.ai/library/a:1b": (A,)}


def test_what_ollama_cannot_read_is_named_after_its_model(one: DirectoryHost) -> None:
    one.engine.files.blob(A).write_text("weights\nA:1b")
    one.engine.shown.clear()
    details = one.details(["no:1b", "a:1b"])
    assert details.damaged == {"registry.ollama.ai/library/a:1b": (A,)}


def test_what_every_model_is_made_of(one: DirectoryHost) -> None:
    stored = one.stored()
    assert set(stored.models) == {
        f"registry.ollama.ai/library/{it}" for it in ("a:1b", "one:latest", "one:current")
    }
    slot = stored.models["registry.ollama.ai/library/one:latest"]
    assert slot.parents == {"registry.ollama.ai/library/a:1b"}
    assert slot.blobs[f"sha256:{A}"] == len("weights\na:1b")


def test_what_a_manifest_list_is_of_and_no_large_blob(new: DirectoryHost) -> None:
    pulled(new, "a:1b")
    large = pulled_large(new, "large:1b")
    one = new.engine.files.read("a:1b")
    assert one
    part = new.engine.files.keep(one)
    listed = (
        f'{{"mediaType":"{LIST}","manifests":[{{"digest":"{part["digest"]}"}},{{"digest":"sha256:{large}"}}]}}'
    )
    new.engine.files.write("both:latest", listed)
    both = new.stored().models["registry.ollama.ai/library/both:latest"]
    assert set(both.blobs) >= {f"sha256:{A}"}
    assert f"sha256:{large}" not in both.blobs
    done = new.perform(HostStored().command(new.unit))
    assert len(done.out) < 20_000


def test_of_a_name_that_is_in_both_trees_the_new_one_counts(new: DirectoryHost) -> None:
    """As Ollama itself reads it: an older one wrote the other, in its own tree, meanwhile."""
    pulled(new, "a:1b", "b:1b")
    old = new.engine.files.file("a:1b")
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_text(new.engine.files.read("b:1b") or "")
    assert f"sha256:{A}" in new.stored().models["registry.ollama.ai/library/a:1b"].blobs


def speeds(host: DirectoryHost, seconds: int = 5) -> dict[str, float | str | None]:
    done = host.perform(SlotSpeeds().command(host.unit, host.engine.url, seconds))
    assert done.code == 0
    return SlotSpeeds().process(done.out.splitlines())


def test_the_speed_of_each_slot(one: DirectoryHost) -> None:
    holds(one, "two", "b:1b")
    one.engine.fails["two:latest"] = "unable to load model"
    assert speeds(one) == {"one": 100.0, "two": "unable to load model"}


def test_a_slot_that_says_nothing_has_no_speed(one: DirectoryHost) -> None:
    one.engine.mute.add("one:latest")
    assert speeds(one) == {"one": "it made no token"}


def test_a_host_without_slots_has_no_speeds(host: DirectoryHost) -> None:
    assert speeds(host) == {}


def test_a_name_is_found_in_whatever_case(one: DirectoryHost) -> None:
    one.engine.create("Mine:Latest", modelfile("a:1b"))
    assert one.found(AB).digest("mine") == one.digest("mine:latest")

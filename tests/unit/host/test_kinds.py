"""Slots of other kinds than a model that makes text in GPU memory: embeddings, the CPU, split weights, vision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ollama_slots.core import rollback
from ollama_slots.facts import SlotSpeeds
from tests.unit.declared import declared
from tests.unit.host.both import both
from tests.unit.host.directory_host import DirectoryHost, directory_host
from tests.unit.host.fake_store import MODEL, sha256
from tests.unit.host.slots import holds, memory, names, pulled, rotate, weights

A, E = weights("a:1b"), weights("e:1b")
GB = 10**9
AE = declared("a:1b", "e:1b", api_seconds=1, load_seconds=20)


@pytest.fixture(params=["0.16.2", "0.32.15", "0.34.4"])
def versions(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with directory_host(tmp_path / "host", request.param) as it:
        it.engine.publish("a:1b")
        it.engine.publish("e:1b", embeds=True, trained=2048)
        yield it


@pytest.fixture
def embedding(host: DirectoryHost) -> DirectoryHost:
    """Slot one makes text, slot two embeddings; both are in memory."""
    host.engine.publish("a:1b")
    host.engine.publish("e:1b", embeds=True, trained=2048, size=3 * GB)
    holds(host, "one", "a:1b")
    holds(host, "two", "e:1b", window=2048)
    host.install_warm_up(AE)
    return host


# Embeddings.


def test_an_embedding_model_becomes_a_slot(versions: DirectoryHost) -> None:
    host = versions
    host.deploy(AE)
    assert (host.state("two")["asks"], host.state("two")["context"]) == ("embed", "2048")
    assert "asks" not in host.state("one")
    assert memory(host) == {A, E}
    assert host.faults(AE) == {}
    assert host.plan(AE) == []
    asked = host.asked()
    assert "embed two:current" in asked
    assert "embed two:latest" in asked
    assert not [it for it in asked if it.startswith("ask two")]
    host.restart()
    assert host.warm_up().code == 0
    assert host.faults(AE) == {}


def test_it_is_the_same_on_a_host_of_plain_values(host: DirectoryHost) -> None:
    it = both(host)
    it.publish("e:1b", embeds=True, trained=2048)
    it.deploy(declared("a:1b", "e:1b"))
    it.warm_up(declared("a:1b", "e:1b"))
    it.deploy(declared("e:1b", "b:1b"))
    it.go_back(declared("e:1b", "b:1b"))
    it.deploy(declared("a:1b", "none"))
    assert host.faults(declared("a:1b", "none")) == {}


def test_a_slot_goes_from_text_to_embeddings_and_back(embedding: DirectoryHost) -> None:
    host = embedding
    other = declared("e:1b", "a:1b")
    host.deploy(other)
    assert host.faults(other) == {}
    assert (host.state("one").get("asks"), host.state("two").get("asks")) == ("embed", None)
    for step in rollback.steps(host.snapshot(other)):
        done = host.apply(step, other)
        assert done.code == 0, done
    assert (host.state("one").get("asks"), host.state("two").get("asks")) == (None, "embed")
    assert host.faults(AE) == {}


def test_an_embedding_slot_that_had_to_make_room_is_put_back_into_memory(embedding: DirectoryHost) -> None:
    host = embedding
    pulled(host, "c:1b")
    host.engine.fails["two:current"] = "out of memory"
    done = rotate(host, "two", "c:1b", make_room="yes")
    assert done.code == 1
    assert "the candidate does not answer: out of memory; the slot is unchanged" in done.err
    assert memory(host) == {A, E}
    assert names(host, "two")["latest"] == E
    assert host.asked()[-1] == "embed two:latest"


def test_an_embedding_candidate_without_an_embedding_is_refused(embedding: DirectoryHost) -> None:
    embedding.engine.mute.add("one:current")
    done = rotate(embedding, "one", "e:1b", window=2048)
    assert done.code == 1
    assert 'does not answer: {"model":"one:current","embeddings":[]}; the slot is unchanged' in done.err


def test_an_embedding_candidate_that_leaves_is_asked_for_embeddings_again(embedding: DirectoryHost) -> None:
    embedding.engine.publish("f:1b", embeds=True, trained=2048)
    pulled(embedding, "f:1b")
    embedding.engine.runners.leaving[weights("f:1b")] = [3]
    assert rotate(embedding, "one", "f:1b", window=2048).code == 0
    assert embedding.engine.runners.loaded.count("one:current") == 2
    assert "ask one:current" not in embedding.asked()


def test_an_embedding_slot_that_leaves_is_asked_until_it_has_come_again(embedding: DirectoryHost) -> None:
    embedding.restart()
    embedding.engine.runners.leaving[E] = [2]
    done = embedding.warm_up()
    assert (done.code, done.err) == (0, "")
    assert embedding.engine.runners.loaded.count("two:latest") == 2
    assert "ask two:latest" not in embedding.asked()


def test_an_embedding_slot_that_is_emptied_is_unloaded(embedding: DirectoryHost) -> None:
    embedding.deploy(declared("a:1b", "none"))
    assert memory(embedding) == {A}


def test_the_repair_of_a_warm_up_asks_for_embeddings(embedding: DirectoryHost) -> None:
    """Its runner was loaded under a manifest that is gone."""
    host = embedding
    host.engine.create("stray:latest", "FROM e:1b\nPARAMETER num_ctx 2048\nPARAMETER seed 1\n")
    host.engine.runners.unload(E)
    host.engine.embed({"model": "stray:latest"})
    host.engine.delete("stray:latest")
    done = host.run("warm", url=host.engine.url, keep_alive=-1, load_seconds=9, lock_seconds=9, gpu="yes")
    assert done.code == 0, done
    assert host.faults(AE) == {}
    assert not [it for it in host.asked() if it == "ask two:latest"]


def test_an_embedding_slot_answers_and_has_no_speed(embedding: DirectoryHost) -> None:
    done = embedding.perform(SlotSpeeds().command(embedding.unit, embedding.engine.url, 5))
    speeds = SlotSpeeds().process(done.out.splitlines())
    assert speeds["two"] is None
    assert isinstance(speeds["one"], float)
    embedding.engine.fails["two:latest"] = "no room"
    done = embedding.perform(SlotSpeeds().command(embedding.unit, embedding.engine.url, 5))
    assert SlotSpeeds().process(done.out.splitlines())["two"] == "no room"


# The CPU.

CPU = {"num_gpu": 0}
ON_CPU = declared("a:1b", "b:1b", slot2_parameters=CPU, api_seconds=1, load_seconds=20)
B = weights("b:1b")
AB = declared("a:1b", "b:1b")


@pytest.fixture
def cpu(host: DirectoryHost) -> DirectoryHost:
    """Slot two is meant for the CPU, and is the largest."""
    host.engine.publish("a:1b")
    host.engine.publish("b:1b", size=3 * GB)
    host.deploy(ON_CPU)
    return host


def test_a_slot_is_meant_for_the_cpu_on_a_host_with_a_gpu(cpu: DirectoryHost) -> None:
    assert (cpu.state("two")["gpu"], cpu.state("one").get("gpu")) == ("no", None)
    assert cpu.faults(ON_CPU) == {}
    assert cpu.plan(ON_CPU) == []
    assert cpu.engine.runners.all[B].size_vram == 0
    assert cpu.engine.runners.all[A].size_vram == GB


def test_a_slot_of_the_cpu_goes_to_the_gpu_with_the_same_weights(cpu: DirectoryHost) -> None:
    """A request that says nothing of layers takes the runner as it is."""
    cpu.deploy(declared("a:1b", "b:1b", api_seconds=1, load_seconds=20))
    done = cpu.run("warm", url=cpu.engine.url, keep_alive=-1, load_seconds=9, lock_seconds=9, gpu="yes")
    assert done.code == 0, done
    assert cpu.faults(AB) == {}
    assert cpu.engine.runners.all[B].size_vram == 3 * GB


def test_the_warm_up_is_not_blind_where_the_largest_is_meant_for_the_cpu(cpu: DirectoryHost) -> None:
    cpu.restart()
    done = cpu.warm_up()
    assert done.code == 0, done
    assert "two: resident after" in done.out
    assert " s, 0.00 GB in GPU memory, context 4096" in done.out
    cpu.engine.fails["one:latest"] = "no"
    cpu.restart()
    assert cpu.warm_up().code == 1, "the only slot in memory is on the CPU, and is meant to be"


def test_a_slot_alone_and_meant_for_the_cpu_says_nothing_of_the_gpu(host: DirectoryHost) -> None:
    settings = declared("b:1b", slot1_parameters=CPU, api_seconds=1, load_seconds=20)
    host.engine.publish("b:1b")
    host.deploy(settings)
    host.restart()
    assert host.warm_up().code == 0
    assert host.faults(settings) == {}


def test_the_warm_up_sees_that_ollama_does_not_see_the_gpu_all_the_same(cpu: DirectoryHost) -> None:
    cpu.engine.runners.on_cpu = {A}
    cpu.restart()
    done = cpu.warm_up()
    assert done.code == 3
    assert done.out == "<3>one: loaded, but not in GPU memory: Ollama does not see the GPU\n"


def test_a_slot_that_wants_all_its_layers_in_gpu_memory_is_asked_to_be_there(host: DirectoryHost) -> None:
    host.engine.publish("a:1b")
    host.engine.runners.in_part[A] = 0.5
    wanted = declared("a:1b", slot1_parameters={"num_gpu": 99}, require_gpu=True)
    done = host.apply(host.plan(wanted)[0], wanted)
    assert done.code == 0
    done = host.apply(host.plan(wanted)[0], wanted)
    assert "the candidate is refused: only 500000000 of its 1000000000 bytes in GPU memory" in done.err
    some = declared("a:1b", slot1_parameters={"num_gpu": 10}, require_gpu=True)
    host.deploy(some)
    assert host.state("one")["gpu"] == "no"
    assert host.faults(some) == {}


def test_a_modelfile_of_the_users_own_is_for_the_cpu(host: DirectoryHost, tmp_path: Path) -> None:
    file = tmp_path / "Modelfile.j2"
    file.write_text("FROM {{ model }}\nPARAMETER num_ctx {{ num_ctx }}\nPARAMETER num_gpu 0\n")
    settings = declared("a:1b", slot1_modelfile=str(file))
    assert settings.slots[0].runner == {"num_gpu": 0}
    host.engine.publish("a:1b")
    host.deploy(settings)
    assert host.state("one")["gpu"] == "no"
    assert host.faults(settings) == {}


def test_a_base_is_for_the_cpu(host: DirectoryHost) -> None:
    pulled(host, "a:1b")
    host.engine.create("mine:latest", "FROM a:1b\nPARAMETER num_gpu 0\n")
    settings = declared("mine")
    host.deploy(settings)
    assert host.state("one")["gpu"] == "no"
    assert host.faults(settings) == {}


# Split weights.

SPLIT = declared("s:1b", "a:1b", api_seconds=1, load_seconds=20)
S = weights("s:1b")
SECOND = sha256("weights\ns:1b\npart 2")


@pytest.fixture
def split(host: DirectoryHost) -> DirectoryHost:
    """Slot one has weights in two parts."""
    host.engine.publish("a:1b")
    host.engine.publish("s:1b", parts=2)
    host.deploy(SPLIT)
    return host


def test_split_weights_become_a_slot(split: DirectoryHost) -> None:
    assert [it["mediaType"] for it in split.engine.model("one").layers].count(MODEL) == 2
    assert split.faults(SPLIT) == {}
    assert split.plan(SPLIT) == []
    split.restart()
    assert split.warm_up().code == 0
    assert split.faults(SPLIT) == {}


def test_the_end_of_a_runner_of_split_weights_shows(split: DirectoryHost) -> None:
    split.engine.runners.dies(S)
    assert split.faults(SPLIT) == {"one": "its runner has ended"}


def test_an_unload_waits_for_a_runner_of_split_weights(split: DirectoryHost) -> None:
    split.engine.runners.lost_unloads = 2
    split.deploy(declared("none", "a:1b"))
    assert memory(split) == {A}


def test_a_rotation_away_from_split_weights_waits_for_their_runner(split: DirectoryHost) -> None:
    split.engine.runners.lost_unloads = 1
    wanted = declared("c:1b", "a:1b")
    split.engine.publish("c:1b")
    split.deploy(wanted)
    assert memory(split) == {A, weights("c:1b")}
    assert split.faults(wanted) == {}


@pytest.mark.parametrize("bad", [{S}, {SECOND}, {S, SECOND}])
@pytest.mark.parametrize("how", ["gone", "cut", "changed"])
def test_each_part_of_split_weights_that_is_not_whole_is_fetched_again(
    split: DirectoryHost, bad: set[str], how: str
) -> None:
    """The engine goes on showing what it has once read."""
    for it in bad:
        blob = split.engine.files.blob(it)
        blob.unlink() if how == "gone" else blob.write_text("cut" if how == "cut" else "x" * blob.stat().st_size)
    key = "registry.ollama.ai/library/s:1b"
    details = split.details(["s:1b", "a:1b"], doubted=(S,))
    assert {it: set(of) for it, of in details.damaged.items()} == {key: bad}
    assert not bad & (details.blobs or {}).keys()
    if how != "changed":
        split.engine.runners.evict(S)  # of a slot that is hot nothing is doubted
        taken = split.deploy(SPLIT)
        assert [it.partition(":")[0] for it in taken] == ["pull s"]
        assert split.details(["s:1b"], doubted=(S,)).damaged == {}


def test_what_ollama_cannot_read_of_split_weights_is_told_by_its_part(split: DirectoryHost) -> None:
    split.engine.files.blob(SECOND).write_text("x" * 20)
    split.engine.shown.clear()
    assert split.details(["s:1b"]).damaged == {"registry.ollama.ai/library/s:1b": (SECOND,)}


def test_a_candidate_whose_second_part_is_damaged_has_that_fetched_again(split: DirectoryHost) -> None:
    split.engine.publish("large:1b", parts=2)
    split.engine.more["large:1b"][0] += b"\n" * 300_000  # a small one is swept away
    pulled(split, "large:1b")
    (second,) = split.engine.model("large:1b").more
    blob = split.engine.files.blob(second)
    blob.write_text("x" * blob.stat().st_size)
    done = rotate(split, "two", "large:1b")
    assert done.code == 0, done
    assert f"its weights, sha256-{second}, are damaged on the disk: fetching them again" in done.out
    assert not blob.exists()
    assert split.engine.files.blob(weights("large:1b")).exists()


def test_all_damaged_parts_go_before_they_are_pulled_again(host: DirectoryHost) -> None:
    engine = host.engine
    engine.publish("large:1b", parts=2)
    content, licence = engine.registry["large:1b"]
    engine.registry["large:1b"] = content + b"\n" * 300_000, licence  # small ones are swept away
    engine.more["large:1b"][0] += b"\n" * 300_000
    pulled(host, "large:1b")
    parts = [engine.model("large:1b").weights, *engine.model("large:1b").more]
    for it in parts:
        engine.files.blob(it).write_text("x" * 300_000)
    given: dict[str, Any] = {"stall_seconds": 300, "total_seconds": 20, "lock_seconds": 1, "insecure": "false"}
    given |= {"url": engine.url, "model": "large:1b", "record_base": "no", "damaged": " ".join(parts)}
    assert host.run("pull", **given).code == 0
    assert [sha256(engine.files.blob(it).read_bytes()) for it in parts] == parts


def test_a_failed_warm_up_names_the_part_that_is_damaged(split: DirectoryHost) -> None:
    blob = split.engine.files.blob(SECOND)
    blob.write_text("x" * blob.stat().st_size)
    split.restart()
    done = split.run("warm", url=split.engine.url, keep_alive=-1, load_seconds=2, lock_seconds=9, gpu="yes")
    assert f"slot one: its weights sha256-{SECOND} are damaged on the disk: the next deploy" in done.err
    assert f"sha256-{S}" not in done.err


# Vision.


def test_a_projector_that_is_not_whole_is_fetched_again(host: DirectoryHost) -> None:
    pulled(host, "eyes:1b", sees=True)
    manifest = host.engine.files.read("eyes:1b")
    assert manifest
    projector = host.engine.files.keep("a projector")
    layer = f'{{"mediaType":"application/vnd.ollama.image.projector","digest":"{projector["digest"]}","size":11}},'
    host.engine.files.write("eyes:1b", manifest.replace('"layers":[', f'"layers":[{layer}'))
    host.engine.show("eyes:1b")
    assert host.details(["eyes:1b"]).damaged == {}
    host.engine.files.blob(projector["digest"]).write_text("cut")
    assert list(host.details(["eyes:1b"]).damaged.values()) == [(sha256("a projector"),)]


def test_weights_that_are_a_link_to_somewhere_else_are_whole(host: DirectoryHost, tmp_path: Path) -> None:
    pulled(host, "a:1b")
    blob = host.engine.files.blob(host.engine.model("a:1b").weights)
    elsewhere = blob.rename(tmp_path / "weights")
    blob.symlink_to(elsewhere)
    assert host.details(["a:1b"]).shown["registry.ollama.ai/library/a:1b"]
    assert host.details(["a:1b"]).damaged == {}
    elsewhere.write_text("cut")
    assert len(host.details(["a:1b"]).damaged) == 1

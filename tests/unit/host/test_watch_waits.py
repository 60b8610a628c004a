"""templates/ollama-slots-watch.sh.j2: a slot waits for what is at work and for another's room; no other does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ollama_slots.core.settings import Settings
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, directory_host
from tests.unit.host.fake_runners import Runner
from tests.unit.host.fake_store import LIST, MODEL, sha256
from tests.unit.host.slots import holds, memory, pulled, weights
from tests.unit.host.test_watch import GB, LEFT, begun, leave, passes, published, resident

A, B, C, X = (weights(f"{it}:1b") for it in "abcx")
SIZES = {"one": 1, "two": 3, "three": 2}


def settings(**data: object) -> Settings:
    return declared("a:1b", "b:1b", "c:1b", **{"load_seconds": 20, "watch_seconds": 1} | data)


@pytest.fixture
def three(host: DirectoryHost) -> DirectoryHost:
    """Slots one, two and three, of 1, 3 and 2 GB, all of them in memory, on a card with room for 10 GiB."""
    for (name, size), model in zip(SIZES.items(), ("a:1b", "b:1b", "c:1b"), strict=True):
        host.engine.publish(model, size=size * GB)
        holds(host, name, model)
    (host.root / "driver").write_text("80000, 80000\n")
    (host.root / "log").write_text('msg="inference compute" library=CUDA total="12 GiB" available="10.0 GiB"\n')
    started = host.root / host.paths["started"].lstrip("/")
    started.parent.mkdir(parents=True, exist_ok=True)
    started.symlink_to("1234")
    host.watch(settings())
    begun(host)
    return host


def at_work(host: DirectoryHost, of: str, works: bool = True) -> None:
    """The runner of these weights answers somebody, for as long as it is said to."""
    stat = host.proc.path / f"{host.engine.runners.all[of].pid}" / "stat"
    stat.write_text(f"9 (a) S {'0 ' * 10}1 0 0\n")
    # Another figure with each reading, as the kernel's.
    counts = f"echo '9 (b) S {'0 ' * 10}'$$' 0 0' >{stat}\n" if works else ""
    (host.root / "bin/sleep").write_text(f"#!/bin/sh\n{counts}exec /bin/sleep 0.02\n")


def test_a_slot_waits_for_the_room_of_one_that_is_at_work_and_nothing_goes_for_it(three: DirectoryHost) -> None:
    """A client has slot one with a large window of his own, for which Ollama has ended slot two."""
    runners = three.engine.runners
    runners.evict(B)
    three.engine.generate({"model": "one:latest", "prompt": "Hi", "options": {"num_ctx": 65536}})
    runners.all[A].size = runners.all[A].size_vram = 7 * GB
    runners.loaded.clear()
    runners.evicted.clear()
    at_work(three, A)
    wanted = "not in memory, and no room for it beside one, in use: it is loaded again when there is"
    assert f"<4>two: {wanted}\n" in three.watch(settings()).out
    assert three.watch(settings(), "heal").out == ""
    assert (runners.loaded, runners.evicted) == ([], [])
    at_work(three, A, works=False)
    three.watch(settings())
    assert begun(three) == 1
    three.watch(settings(), "heal")
    three.watch(settings())
    three.watch(settings(), "heal")
    assert memory(three) == {A, B, C}


def test_beside_one_at_work_a_slot_is_loaded_where_an_idle_one_leaves_it_room(three: DirectoryHost) -> None:
    """Slot two needs 3.75 GB; there are 2 beside slot one, at work, and slot three, which makes way."""
    runners = three.engine.runners
    runners.evict(B)
    runners.all[A].size = runners.all[A].size_vram = int(5.5 * GB)
    at_work(three, A)
    assert three.watch(settings()).out == ""
    assert begun(three) == 1
    assert ": loaded again in " in three.watch(settings(), "heal").out
    assert memory(three) == {A, B, C}


def test_where_no_figure_tells_of_room_a_slot_waits_for_nobody(three: DirectoryHost) -> None:
    """Little was free when Ollama was started: by that no slot would fit, whatever goes."""
    (three.root / "log").write_text('msg="inference compute" library=CUDA total="12 GiB" available="2.0 GiB"\n')
    three.engine.runners.evict(B)
    at_work(three, A)
    assert three.watch(settings()).out == ""
    assert begun(three) == 1


def test_an_idle_model_of_somebody_elses_is_ended_where_it_may_be_though_a_slot_is_at_work(
    three: DirectoryHost,
) -> None:
    pulled(three, "x:1b", size=4 * GB)
    three.engine.generate({"model": "x:1b"})
    three.engine.runners.evict(B)
    at_work(three, A)
    assert "no room for it beside x:1b: unload that" in three.watch(settings()).out
    assert three.watch(settings(watch_evicts=True)).out == ""
    assert begun(three) == 1
    assert ": loaded again in " in three.watch(settings(watch_evicts=True), "heal").out
    assert memory(three) == {A, B, C}


@pytest.mark.parametrize("split", [False, True])
def test_somebody_elses_model_is_not_ended_at_work_even_where_it_may_be(three: DirectoryHost, split: bool) -> None:
    data: dict[str, object] = {"max_loaded_models": 3, "watch_evicts": True}
    leave(three, "away")
    pulled(three, "x:1b", size=GB)
    three.engine.generate({"model": "x:1b"})
    if split:  # a runner has their digest on its command line
        runner = three.engine.runners.all[X]
        line = f"llama-server\0--model\0/tmp/.ollama-split-{runner.digest[:12]}-1\0"
        (three.proc.path / f"{runner.pid}" / "cmdline").write_text(line)
    at_work(three, X)
    wanted = "not in memory, and no room for it beside x:1b, in use: it is loaded again when there is"
    assert three.watch(settings(**data)).out == f"<4>three: {wanted}\n"
    three.asked()
    assert three.watch(settings(**data), "heal").out == ""
    assert not [it for it in three.asked() if "x:1b" in it]
    at_work(three, X, works=False)
    three.watch(settings(**data), "heal")
    assert memory(three) == {A, B, C}


def test_another_window_is_no_reason_to_end_somebody_elses_model(three: DirectoryHost) -> None:
    """It was loaded into the room that a client's smaller window left."""
    leave(three, "window")
    runners = three.engine.runners
    runners.all[C].size = runners.all[C].size_vram = GB // 2
    pulled(three, "x:1b", size=int(5.5 * GB))
    three.engine.generate({"model": "x:1b"})
    wanted = f"{LEFT['window']}, and no room for it beside x:1b: unload that, or set watch_evicts = True"
    assert three.watch(settings(max_loaded_models=4)).out == f"<4>three: {wanted}\n"
    assert three.watch(settings(max_loaded_models=4), "heal").out == ""
    assert X in memory(three)
    assert begun(three) == 0


def test_a_slot_that_is_meant_for_the_cpu_waits_for_no_gpu(host: DirectoryHost) -> None:
    """Neither for a driver that does not answer, nor for room in its memory."""
    host.engine.publish("a:1b", size=GB)
    host.engine.publish("e:1b", size=GB, embeds=True)
    holds(host, "one", "a:1b")
    host.engine.runners.on_cpu = {weights("e:1b")}
    holds(host, "two", "e:1b", more="PARAMETER num_gpu 0\n")
    (host.root / "driver").write_text("80000, 80000\n")
    small = 'msg="inference compute" library=CUDA total="2 GiB" available="1.0 GiB"'
    (host.root / "log").write_text(f"{small}\n")
    started = host.root / host.paths["started"].lstrip("/")
    started.parent.mkdir(parents=True, exist_ok=True)
    started.symlink_to("1234")
    at_work(host, A)
    both = declared("a:1b", "e:1b", watch_seconds=1, load_seconds=20)
    assert host.watch(both).out == ""
    host.engine.runners.dies(weights("e:1b"))
    (host.root / "driver").unlink()
    assert host.watch(both).out == ""
    assert begun(host) == 1
    assert host.watch(both, "heal").out.startswith("<5>two: its runner has ended: loaded again in ")
    host.engine.runners.dies(A)
    assert "<4>one: its runner has ended, and nvidia-smi does not answer" in host.watch(both).out


def test_an_nvidia_smi_that_is_left_on_a_host_with_amds_gpu_is_not_waited_for(three: DirectoryHost) -> None:
    """The watch itself may see no device: what may is asked whose driver there is."""
    (three.root / "driver").unlink()
    leave(three, "away")
    assert "nvidia-smi does not answer" in three.watch(settings()).out
    (three.root / "dev").mkdir(exist_ok=True)
    (three.root / "dev/kfd").touch()
    assert three.watch(settings()).out == ""
    assert begun(three) == 1
    asked = [it for it in three.programs.called if it[0] == "systemd-run"]
    assert asked
    assert all(any("kfd" in word for word in it) for it in asked)


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """An Ollama 0.40 that has made others of a slot's weights at their first load, as of gemma3's."""
    with directory_host(request.getfixturevalue("tmp_path") / "host", "0.40.0") as host:
        pulled(host, "a:1b")
        holds(host, "one", "a:1b", loaded=False)
        files, text = host.engine.files, "what Ollama has made of them"
        first = files.read("one:latest") or ""
        content = json.loads(first)
        files.blob(sha256(text)).write_text(text)
        for layer in content["layers"]:
            if layer["mediaType"] == MODEL:
                layer |= {"digest": f"sha256:{sha256(text)}", "size": len(text)}
        second = json.dumps(content)
        for it in (first, second):
            files.blob(sha256(it)).write_text(it)
        manifests = [{"digest": f"sha256:{sha256(it)}"} for it in (first, second)]
        for name in ("one:latest", "one:current"):
            files.write(name, json.dumps({"mediaType": LIST, "manifests": manifests}))
        blob = f"{host.store}/blobs/sha256-{sha256(text)}"
        pid = host.proc.start("/usr/local/lib/ollama/llama-server", "--model", blob, parent=host.main)
        runner = Runner("one:latest", sha256(second), sha256(text), 4096, GB, GB, pid)
        host.engine.runners.all[sha256(text)] = runner
        show = host.engine.show

        def shown(name: str, verbose: bool = False) -> Any:
            said = show(name, verbose)
            if name.startswith("one"):
                said["modelfile"] = said["modelfile"].replace(f"sha256-{A}", f"sha256-{sha256(text)}")
            return said

        monkeypatch.setattr(host.engine, "show", shown)
        yield host


def test_weights_that_ollama_has_converted_are_the_slots(converted: DirectoryHost) -> None:
    one = declared("a:1b", watch_seconds=1, load_seconds=5)
    (converted.root / "driver").write_text("80000, 80000\n")
    assert converted.faults(one) == {}
    assert converted.watch(one).out == ""
    assert (begun(converted), resident(converted)) == (0, {"one"})
    [runner] = converted.engine.runners.all.values()
    converted.proc.end(runner.pid)
    converted.watch(one)
    assert begun(converted) == 1


def test_a_slot_that_is_only_told_to_stay_has_stayed_well(three: DirectoryHost) -> None:
    for _ in range(3):
        leave(three, "window")
        passes(three, 1000)
        three.watch(settings(watch_seconds=100))
        three.watch(settings(watch_seconds=100), "heal")
    assert begun(three) == 3
    for looks in range(12):
        three.engine.generate({"model": "three:latest", "prompt": "Hi", "keep_alive": "5m"})
        three.watch(settings(watch_seconds=100))
        assert published(three)["heal_tries", "three"] == (3 if looks < 10 else 0)
        passes(three, 100)


def test_the_seconds_of_a_load_are_those_of_the_watchs_own(three: DirectoryHost) -> None:
    leave(three, "away")
    three.watch(settings())
    three.watch(settings(), "heal")
    three.watch(settings())
    took = published(three)["load_seconds", "three"]
    assert took > 0
    three.engine.generate({"model": "three:latest", "prompt": "Hi", "keep_alive": "5m"})
    three.watch(settings())
    three.watch(settings(), "heal")
    three.watch(settings())
    assert published(three)["load_seconds", "three"] == took, "it was told to stay"
    leave(three, "away")
    three.watch(settings())
    three.engine.generate({"model": "three:latest", "prompt": "Hi"})
    three.watch(settings())
    assert resident(three) == {"one", "two", "three"}
    assert ("load_seconds", "three") not in published(three), "what a client's load took is not known"

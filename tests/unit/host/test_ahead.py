"""host/ahead.sh, as the warm-up's unit runs it: what slots run on is read before it is loaded."""

from __future__ import annotations

import os
import threading

import pytest

from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.engine import Shape
from tests.unit.host.slots import holds, pulled

MB = 10**6
FOUND = 'msg="inference compute" library=CUDA type={} total="12 GiB" available="11 GiB"'
TWO, THREE, ONE = (
    f"{name}: 0.0{size} GB of its weights read ahead" for name, size in (("two", 3), ("three", 2), ("one", 1))
)


@pytest.fixture
def three(host: DirectoryHost) -> DirectoryHost:
    """Slots one, two and three, of which two is the largest and one the smallest; none is in memory."""
    for name, model, size in (("one", "a:1b", 10), ("two", "b:1b", 30), ("three", "c:1b", 20)):
        host.engine.publish(model)
        content, licence = host.engine.registry[model]
        host.engine.registry[model] = content.ljust(size * MB), licence
        pulled(host, model)
        host.engine.shapes[host.engine.model(model).weights] = Shape(size=size * MB)
        holds(host, name, model, loaded=False)
    host.install_warm_up(declared("a:1b", "b:1b", "c:1b", api_seconds=1))
    started = host.root / host.paths["started"].lstrip("/")
    started.parent.mkdir(parents=True)
    started.symlink_to("1234")
    found(host, FOUND.format("discrete"))
    unused(host, 1000 * MB)
    return host


def blob(host: DirectoryHost, model: str) -> str:
    return f"{host.store}/blobs/sha256-{host.engine.model(model).weights}"


def found(host: DirectoryHost, line: str) -> None:
    """What Ollama's log says of the GPUs that it found."""
    (host.root / "log").write_text(f"{line}\n")


def unused(host: DirectoryHost, size: int) -> None:
    """So many bytes of the host's memory hold nothing; all others hold files, which the kernel calls available."""
    lines = (("MemTotal", 2000 * MB), ("MemFree", size), ("MemAvailable", 2000 * MB))
    (host.root / "proc/meminfo").write_text("".join(f"{key}: {it // 1024:>12} kB\n" for key, it in lines))


def ahead(host: DirectoryHost) -> list[str]:
    """What was read ahead, or why no more was."""
    done = host.warm_up("ahead")
    assert (done.code, done.err) == (0, "")
    return [it.rpartition(" in ")[0] or it for it in done.out.splitlines()]


def test_all_is_read_in_the_order_in_which_it_is_loaded(three: DirectoryHost) -> None:
    assert ahead(three) == [TWO, THREE, ONE]
    assert three.engine.runners.loaded == []
    assert three.warm_up().code == 0
    assert three.engine.runners.loaded == ["two:latest", "three:latest", "one:latest"]


def test_it_is_read_to_its_end(three: DirectoryHost) -> None:
    """A pipe in its place has a reader then, which takes more than a pipe holds."""
    os.unlink(blob(three, "c:1b"))
    os.mkfifo(blob(three, "c:1b"))
    taken = []

    def give() -> None:
        with open(blob(three, "c:1b"), "wb") as pipe:
            taken.append(pipe.write(bytes(MB)))

    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    assert ahead(three)[0] == TWO
    giver.join(5)
    assert taken == [MB]


def test_what_is_in_memory_is_not_read(three: DirectoryHost) -> None:
    three.engine.generate({"model": "two:latest"})
    assert ahead(three) == [THREE, ONE]
    for name in ("one", "three"):
        three.engine.generate({"model": f"{name}:latest"})
    assert ahead(three) == []


@pytest.mark.parametrize("name", ["before:1b", "two:latest"])
def test_what_a_rotation_has_loaded_is_in_memory(three: DirectoryHost, name: str) -> None:
    """By a manifest that is gone, as that of who had the weights before; after a boot by its own."""
    three.engine.create("before:1b", "FROM b:1b\nPARAMETER num_ctx 1000\n")
    state = three.root / "var/lib/ollama-slots/two.slot"
    lines = [it for it in state.read_text().splitlines() if not it.startswith("loaded=")]
    state.write_text("".join(f"{it}\n" for it in [*lines, f"loaded={three.digest('before:1b')}"]))
    three.engine.generate({"model": name})
    three.engine.delete("before:1b")
    assert ahead(three) == [THREE, ONE]


def test_no_file_that_others_read_goes_for_it(three: DirectoryHost) -> None:
    unused(three, 61 * MB)
    assert ahead(three) == [TWO, THREE, ONE]
    unused(three, 59 * MB)
    assert ahead(three) == [
        "two: its weights are not read ahead: expected twice their 0.03 GB of unused memory, found 0.06 GB"
    ]


def test_memory_that_is_not_known_is_not_used(three: DirectoryHost) -> None:
    (three.root / "proc/meminfo").unlink()
    assert ahead(three) == ["reads no weights ahead: how much memory is unused is not known"]


def test_a_gpu_in_the_hosts_memory_is_read_to_past_the_cache(three: DirectoryHost) -> None:
    found(three, FOUND.format("iGPU"))
    assert ahead(three) == ["reads no weights ahead: the GPU shares the host's memory"]


def test_an_ollama_that_tells_no_type_may_have_such_a_gpu(three: DirectoryHost) -> None:
    found(three, FOUND.format("discrete").replace(" type=discrete", ""))
    assert ahead(three) == ["reads no weights ahead: whether the GPU shares the host's memory is not known"]
    found(three, FOUND.format("").replace("CUDA", "cpu"))
    assert ahead(three) == [TWO, THREE, ONE]


def test_of_a_gpu_that_is_not_known_nothing_is_taken_for_granted(three: DirectoryHost) -> None:
    (three.root / "log").unlink()
    assert ahead(three) == ["reads no weights ahead: which GPU Ollama found is not known"]


def test_slots_on_the_same_weights_are_read_once(three: DirectoryHost) -> None:
    holds(three, "twin", "b:1b", window=8192, loaded=False)
    assert [it.partition(": ")[2] for it in ahead(three)] == [it.partition(": ")[2] for it in (TWO, THREE, ONE)]


def test_all_parts_of_split_weights_are_read(three: DirectoryHost) -> None:
    three.engine.publish("split:1b", size=MB, parts=3)
    holds(three, "split", "split:1b", loaded=False)
    assert [it.partition(":")[0] for it in ahead(three)] == ["two", "three", "one", "split", "split", "split"]


def test_a_file_that_is_gone_keeps_no_other_from_being_read(three: DirectoryHost) -> None:
    os.unlink(blob(three, "c:1b"))
    done = three.warm_up("ahead")
    assert (done.code, [it.partition(":")[0] for it in done.out.splitlines()]) == (0, ["two", "one"])
    assert "No such file" in done.err


def test_an_ollama_that_does_not_answer_is_waited_for_and_no_longer(three: DirectoryHost) -> None:
    three.engine.down = True
    assert ahead(three) == []

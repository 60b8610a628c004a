"""What the watch says to Prometheus beside the figures of slots: what they are, GPU memory, and the warm-up."""

import os
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ollama_slots.core import units
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, directory_host, two_engines
from tests.unit.host.slots import holds, weights
from tests.unit.world import OF_THE_CPU, of_start

WANTED = declared("a:1b", "b:1b")
MIB = 2**20
GPU = 'gpu="0",name="A fine GPU"'
OLD = (
    'msg="inference compute" id=GPU-452c library=cuda variant=v12 name="NVIDIA GT 1030" '
    'total="512.0 MiB" available="500 MiB"'
)
TWO_OF_ONE_ID = (
    'msg="inference compute" id=7 library=ROCm total="1.5 TiB" available="2 GiB"',
    'msg="inference compute" id=7 library=ROCm total="16 GiB" available="1 GiB"',
)
# What Ollama said, the memory of each GPU by its labels, and what is free of all; in MiB.
FOUND: dict[str, tuple[tuple[str, ...], dict[str, float], float | None]] = {
    "one": ((of_start(24576, 20480),), {GPU: 24576}, 20480),
    "of older versions": ((OLD,), {'gpu="GPU-452c",name="NVIDIA GT 1030"': 512}, 500),
    "two of one id": (TWO_OF_ONE_ID, {'gpu="7",name=""': 1.5 * 2**20, 'gpu="7#2",name=""': 16384}, 3072),
    "none but the CPU": ((OF_THE_CPU,), {}, 0),
    "nothing is known": ((), {}, None),
    "other words": (('msg="inference compute"', "noise"), {}, None),
}


@pytest.fixture
def two(host: DirectoryHost) -> DirectoryHost:
    """Slots one and two, of 1 and 2 MiB, in memory, and a start of Ollama."""
    for name, model, size in (("one", "a:1b", 1), ("two", "b:1b", 2)):
        host.engine.publish(model, size=size * MIB)
        holds(host, name, model)
    started(host, "1234")
    return host


def started(host: DirectoryHost, invocation: str, *found: str) -> None:
    """Ollama was started, and found this."""
    (host.root / "log").write_text("".join(f"{it}\n" for it in found))
    link = host.root / host.paths["started"].lstrip("/")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(invocation)


def published(host: DirectoryHost) -> dict[str, float]:
    """Each line of the metrics, by its name and labels."""
    text = host.metrics.read_text()
    assert list(text_string_to_metric_families(text))
    return {
        name: float(value)
        for name, _, value in (it.rpartition(" ") for it in text.splitlines())
        if not name.startswith("#")
    }


def look(host: DirectoryHost) -> dict[str, float]:
    done = host.watch(WANTED)
    assert (done.code, done.out, done.err) == (0, "", "")
    return published(host)


def test_what_a_slot_is_is_told_of_one_that_is_not_in_memory_too(two: DirectoryHost) -> None:
    two.engine.runners.evict(weights("b:1b"))
    assert two.watch(WANTED).code == 0
    said = published(two)
    for name, base in (("one", "a:1b"), ("two", "b:1b")):
        digest = (two.digest(f"{name}:latest") or "")[:12]
        assert said[f'ollama_slot_info{{slot="{name}",base="{base}",digest="{digest}"}}'] == 1
    assert len([it for it in said if it.startswith("ollama_slot_info")]) == 2


@pytest.mark.parametrize("what", FOUND)
def test_gpu_memory_is_what_ollama_found(two: DirectoryHost, what: str) -> None:
    lines, total, available = FOUND[what]
    started(two, "1234", *lines)
    said = look(two)
    found = {it: value for it, value in said.items() if it.startswith("ollama_slots_gpu_memory_bytes")}
    assert found == {f"ollama_slots_gpu_memory_bytes{{{it}}}": mib * MIB for it, mib in total.items()}
    held = sum(it.size_vram for it in two.engine.runners.all.values())
    assert held > 0
    free = None if available is None else max(0, available * MIB - held)
    assert said.get("ollama_slots_gpu_memory_free_bytes") == free


def test_of_a_slot_on_the_cpu_by_its_declaration_no_gpu_memory_is_missed(two: DirectoryHost) -> None:
    two.engine.runners.on_cpu = {weights("b:1b")}
    two.engine.runners.evict(weights("b:1b"))
    two.engine.generate({"model": "two:latest"})
    with (two.root / "var/lib/ollama-slots/two.slot").open("a") as state:
        state.write("gpu=no\n")
    said = look(two)
    assert said['ollama_slot_resident{slot="two"}'] == 1
    assert [it for it in said if it.startswith("ollama_slot_gpu_bytes")] == ['ollama_slot_gpu_bytes{slot="one"}']


def test_what_is_free_is_never_less_than_nothing(two: DirectoryHost) -> None:
    started(two, "1234", of_start(24576, 1))
    assert look(two)["ollama_slots_gpu_memory_free_bytes"] == 0


def test_while_ollama_does_not_answer_nobody_knows_what_is_free(two: DirectoryHost) -> None:
    started(two, "1234", of_start(24576))
    two.engine.down = True
    two.watch(WANTED)
    said = published(two)
    assert said[f"ollama_slots_gpu_memory_bytes{{{GPU}}}"] == 24576 * MIB
    assert "ollama_slots_gpu_memory_free_bytes" not in said


@pytest.mark.parametrize(("state", "value"), [("active", 1), ("failed", 0), ("inactive", 0)])
def test_the_watch_asks_what_the_warm_up_came_to(two: DirectoryHost, state: str, value: int) -> None:
    two.warm_up_state["ActiveState"] = state
    assert look(two)["ollama_slots_warm_up_success"] == value


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of another user")
def test_what_a_warm_up_has_written_since_is_not_taken_for_a_look(two: DirectoryHost) -> None:
    """It may have been cut off when it had said that no slot is resident."""
    started(two, "1234", of_start(24576))
    first = look(two)
    two.install_warm_up(WANTED)
    two.warm_up("stop")
    assert published(two)['ollama_slot_resident{slot="one"}'] == 0
    os.chown(two.metrics, 65534, 65534)
    after = look(two)
    changes = "ollama_slots_last_look_timestamp_seconds"
    assert {**after, changes: 0} == {**first, changes: 0}


def test_the_metrics_of_another_unit_say_so(tmp_path: Path) -> None:
    with two_engines(tmp_path / "host", "ollama-gpu1.service") as (_, other):
        other.engine.publish("a:1b")
        holds(other, "one", "a:1b")
        started(other, "1234", of_start(24576))
        other.watch(declared("a:1b"))
        assert {'unit="ollama-gpu1.service"' in it for it in published(other)} == {True}
        assert units.stem(other.unit) == "ollama-gpu1"


def test_promtool_has_nothing_to_say(tmp_path: Path) -> None:
    with directory_host(tmp_path / "host") as host:
        host.engine.publish("a:1b")
        holds(host, "one", "a:1b")
        started(host, "1234", of_start(24576))
        host.watch(declared("a:1b"))
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=host.metrics.read_text(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

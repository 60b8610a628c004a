"""The lab's simulated GPUs say what real ones would: which devices there are, and where a model comes to lie."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from lab.disk import SIMULATED
from lab.machine import SOURCES

# What the real llama-server says of a model's buffers; it computes on the CPU.
REAL = """#!/bin/sh
printf 'load_tensors:   CPU_Mapped model buffer size =   100.00 MiB\\n' >&2
printf 'llama_kv_cache:        CPU KV buffer size =    40.00 MiB\\n' >&2
printf 'sched_reserve:        CPU compute buffer size =    10.00 MiB\\n'
printf 'load_tensors: done\\n'
"""
LOAD = ("--model", "x")


class Machine:
    """A host's root, as far as the programs look at it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for directory in ("etc", "dev", "run/simulated-gpu", "opt/llama.cpp", *SIMULATED.values()):
            (root / directory).mkdir(parents=True, exist_ok=True)
        for device in ("nvidiactl", "kfd"):
            (root / "dev" / device).symlink_to("/dev/null")
        for program, place in SIMULATED.items():
            (root / place / program).symlink_to(SOURCES / "simulated-gpu" / program)
        real = root / "opt/llama.cpp/llama-server"
        real.write_text(REAL)
        real.chmod(0o755)

    def cards(self, *lines: str) -> Machine:
        """Gives it cards."""
        (self.root / "etc/simulated-gpu").write_text("".join(f"{line}\n" for line in lines))
        return self

    def run(self, program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs one of the programs; what it says on both outputs is one."""
        return subprocess.run(
            [self.root / SIMULATED[program] / program, *arguments],
            env={"PATH": os.environ["PATH"], "LAB_ROOT": str(self.root), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
            check=False,
        )

    def devices(self, **environment: str) -> list[str]:
        """What --list-devices lists."""
        said = self.run("llama-server", "--list-devices", **environment).stdout
        return said.partition("Available devices:\n")[2].splitlines()

    def buffers(self, *arguments: str, **environment: str) -> dict[str, float]:
        """The MiB of each device's buffers after a load."""
        sizes: dict[str, float] = {}
        for line in self.run("llama-server", *LOAD, *arguments, **environment).stdout.splitlines():
            if " buffer size = " in line:
                device = line.split()[1].partition("_")[0]
                sizes[device] = sizes.get(device, 0) + float(line.split()[-2])
        return sizes


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


ONE = "24576"
TWO = ("24576", "12288")


def test_one_card(machine: Machine) -> None:
    machine.cards(ONE)
    assert machine.devices() == ["  CUDA0: Simulated GPU (24576 MiB, 24000 MiB free)"]
    asked = "--query-gpu=index,memory.total,memory.used,memory.free,compute_cap,pci.bus_id"
    assert machine.run("nvidia-smi", asked).stdout == "0, 24576, 576, 24000, 8.9, 00000000:01:00.0\n"
    assert machine.buffers() == {"CUDA0": 150}


def test_two_cards_a_line_each(machine: Machine) -> None:
    machine.cards(*TWO)
    assert [it.split("(")[1] for it in machine.devices()] == [
        "24576 MiB, 24000 MiB free)",
        "12288 MiB, 11712 MiB free)",
    ]
    asked = machine.run("nvidia-smi", "--query-gpu=memory.total,uuid").stdout.splitlines()
    assert [it.partition(",")[0] for it in asked] == ["24576", "12288"]
    assert len(set(asked)) == 2


@pytest.mark.parametrize(
    ("hidden", "left"),
    [
        ("0", [24576]),
        ("1", [12288]),
        ("1,0", [12288, 24576]),
        ("GPU-51a0a7ed-0000-4000-8000-000000000001", [12288]),
        ("0,7,1", [24576]),
        ("-1", []),
        ("", []),
    ],
)
def test_what_a_variable_hides_is_no_device(machine: Machine, hidden: str, left: list[int]) -> None:
    devices = machine.cards(*TWO).devices(CUDA_VISIBLE_DEVICES=hidden)
    wanted = [f"  CUDA{index}: Simulated GPU ({mib} MiB, {mib - 576} MiB free)" for index, mib in enumerate(left)]
    assert devices == (wanted or ["  (none)"])


@pytest.mark.parametrize(
    ("arguments", "environment", "sizes"),
    [
        (("--split-mode", "none", "--main-gpu", "1"), {}, {"CUDA1": 150}),
        # As Ollama chooses a card: the others are hidden, so that it is the first.
        (("--split-mode", "none", "--main-gpu", "0"), {"CUDA_VISIBLE_DEVICES": "1"}, {"CUDA0": 150}),
        ((), {}, {"CUDA0": 100.81, "CUDA1": 49.2}),
        ((), {"CUDA_VISIBLE_DEVICES": "-1"}, {"CPU": 150}),
        (("-ngl", "0"), {}, {"CPU": 140, "CUDA0": 10}),
    ],
)
def test_where_a_model_comes_to_lie(
    machine: Machine, arguments: tuple[str, ...], environment: dict[str, str], sizes: dict[str, float]
) -> None:
    assert machine.cards(*TWO).buffers(*arguments, **environment) == pytest.approx(sizes, abs=0.1)


def test_it_is_written_down_by_the_cards_own_number(machine: Machine) -> None:
    machine.cards(*TWO).buffers("--split-mode", "none", "--main-gpu", "0", CUDA_VISIBLE_DEVICES="1")
    [file] = (machine.root / "run/simulated-gpu").iterdir()
    assert file.read_text() == "1 100\n"


def test_one_that_ollama_leaves_alone_is_nvidia_smis_only(machine: Machine) -> None:
    machine.cards("8192 CUDA unused", ONE)
    assert machine.devices() == ["  CUDA0: Simulated GPU (24576 MiB, 24000 MiB free)"]
    assert machine.run("nvidia-smi", "--query-gpu=memory.total").stdout == "8192\n24576\n"


@pytest.mark.parametrize(
    ("library", "hides"), [("ROCm", "ROCR_VISIBLE_DEVICES"), ("Vulkan", "GGML_VK_VISIBLE_DEVICES")]
)
def test_what_nvidia_smi_knows_nothing_of(machine: Machine, library: str, hides: str) -> None:
    machine.cards(f"16384 {library}")
    assert machine.devices() == [f"  {library}0: Simulated GPU (16384 MiB, 15808 MiB free)"]
    assert machine.devices(**{hides: "-1"}) == ["  (none)"]
    assert machine.run("nvidia-smi").returncode == 6
    assert machine.buffers() == {f"{library}0": 150}


def test_a_driver_that_is_not_ready_and_one_without_a_card(machine: Machine) -> None:
    assert machine.run("nvidia-smi").returncode == 9
    assert machine.buffers() == {"CPU": 150}
    machine.cards()
    asked = machine.run("nvidia-smi")
    assert (asked.returncode, asked.stdout) == (6, "No devices were found (simulated)\n")
    assert machine.devices() == ["  (none)"]
    machine.cards(ONE)
    (machine.root / "dev/nvidiactl").unlink()
    assert machine.run("nvidia-smi").returncode == 9


def test_a_driver_that_does_not_answer(machine: Machine) -> None:
    os.mkfifo(machine.root / "etc/simulated-gpu")
    for program in ("nvidia-smi", "llama-server"):
        command: list[str | Path] = ["timeout", "-s", "KILL", "1"]
        command += [machine.root / SIMULATED[program] / program, "--list-devices"]
        environment = {"PATH": os.environ["PATH"], "LAB_ROOT": str(machine.root)}
        done = subprocess.run(command, env=environment, timeout=20, check=False)
        assert done.returncode == -signal.SIGKILL  # with all that it had begun

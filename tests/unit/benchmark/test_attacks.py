"""Each attack works where there is no sandbox, and fails in it."""

import subprocess
import sys

import pytest

from ollama_slots.benchmark.attacks import ATTACKS, HONEST, LAZY, TESTS, program
from ollama_slots.benchmark.attacks.forge import FORGE
from ollama_slots.benchmark.attacks.reach import REACH
from ollama_slots.benchmark.sandbox.process import Sandbox
from tests.unit.benchmark.test_sandbox import pid

FUEL = 3 * 10**8  # an endless loop is as endless with less; the proof at each start gives one of them all of it
# What does nothing to a grader that runs programs in a process of their own and looks at its exit code.
HARMLESS = {
    "replaces the guest's functions",  # there is no guest
    "replaces the encoder",
    "asks itself",
    "raises an exception that lies",
    "raises an exception without end",
    "prints a verdict",
    "aborts",
    "raises KeyboardInterrupt",
    "raises GeneratorExit",
    "raises what cannot be encoded",
    "replaces the check through the collector",
    "is no Python",
    "has no such function",
    "is a value",
}
WORKS = {**REACH, **{name: source for name, source in FORGE.items() if name not in HARMLESS}}


def naively(source: str) -> bool:
    """Whether a program passes as most benchmarks run it: in a process, its tests beside it."""
    tests = TESTS.replace("\ncheck(candidate)", "\ncheck(add)")
    done = subprocess.run(
        [sys.executable, "-c", f"{source}\n{tests}"], capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


def test_there_are_enough_of_them() -> None:
    assert len(ATTACKS) >= 70
    assert len(WORKS) >= 35


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_contained(sandbox: Sandbox, name: str) -> None:
    assert sandbox.run(program(HONEST)).why == ""
    process = pid(sandbox)
    ran = sandbox.run(program(ATTACKS[name], FUEL))
    assert ran.why != ""
    assert len(ran.why) <= 200
    assert pid(sandbox) == process, "it ended the process"
    assert sandbox.run(program(HONEST)).why == ""


@pytest.mark.parametrize("name", WORKS)
def test_an_attack_works_where_there_is_no_sandbox(name: str) -> None:
    assert naively(WORKS[name])


def test_a_naive_grader_tells_right_from_wrong() -> None:
    assert naively(HONEST)
    assert not naively(LAZY)

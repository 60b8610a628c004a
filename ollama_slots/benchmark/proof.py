"""Prove a sandbox before it grades: what is right passes, what is wrong fails, attacks are contained."""

from __future__ import annotations

from collections.abc import Sequence

from ollama_slots.benchmark.attacks import ATTACKS, HANG, HONEST, LAZY, program
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.task import Task
from ollama_slots.benchmark.sandbox.process import Program, Sandbox

ENDLESS = "loops"  # of the attacks, the one that gets all the fuel that a program gets
FUEL = 10**8  # of the others, so that they take no longer than the proof is worth
HANGS = 2.0  # seconds that the program which hangs is given


def prove(sandbox: Sandbox, tasks: Sequence[Task]) -> None:
    """Raise BenchmarkError with one line for the first thing that is not as it has to be."""
    for task in tasks:
        _expect(True, sandbox, Program(task.whole, task.name, task.tests), f"the solution of HumanEval/{task.id}")
        _expect(False, sandbox, Program(task.prompt, task.name, task.tests), f"nothing for HumanEval/{task.id}")
    for name, source in ATTACKS.items():
        attack = program(source) if name == ENDLESS else program(source, FUEL)
        _expect(False, sandbox, attack, f"the attack that {name}")
        _expect(True, sandbox, program(HONEST), f"an honest program after the attack that {name}")
    if not sandbox.run(program(HANG), HANGS).why:
        raise _unproven("failed", "the attack that hangs", "passed")
    _expect(True, sandbox, program(HONEST), "an honest program after the attack that hangs")
    _expect(False, sandbox, program(LAZY), "a lazy program after the attack that hangs")


def _expect(passes: bool, sandbox: Sandbox, what: Program, name: str) -> None:
    why = sandbox.run(what).why
    if passes and why:
        raise _unproven("passed", name, f"{why!r}")
    if not passes and not why:
        raise _unproven("failed", name, "passed")


def _unproven(expected: str, name: str, found: str) -> BenchmarkError:
    return BenchmarkError(
        f"the sandbox is not proven, nothing is graded: expected that {name} {expected}, found {found}"
    )

"""Programs that do no work and try to pass all the same, or to reach what is none of theirs.

Each returns the right value only where its attack succeeds; so an attack is contained where its program fails.
"""

from __future__ import annotations

from ollama_slots.benchmark.attacks.exhaust import EXHAUST
from ollama_slots.benchmark.attacks.forge import FORGE
from ollama_slots.benchmark.attacks.reach import REACH
from ollama_slots.benchmark.sandbox.process import FUEL, Program

# As HumanEval's tests are: a function that is given the program's.
TESTS = """
def check(candidate):
    assert candidate(2, 3) == 5, "two and three"
    assert abs(candidate(20, 30) - 50) < 1e-9
check(candidate)
"""
HONEST = "def add(a, b):\n    return a + b\n"
LAZY = "def add(a, b):\n    pass\n"
# It waits where nothing counts: only the deadline ends it before its time.
HANG = """
import sys
def add(a, b):
    del sys.modules["time"]
    import time
    time.sleep(30)
    return a + b
"""
ATTACKS = {**REACH, **FORGE, **EXHAUST}


def program(source: str, fuel: int = FUEL) -> Program:
    """Return a program that claims to add two numbers, with the tests of that."""
    return Program(source, "add", TESTS, fuel)

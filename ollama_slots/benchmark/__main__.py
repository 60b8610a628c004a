"""Prove the sandbox on this machine, built first where there is none: ``python -m ollama_slots.benchmark``."""

from __future__ import annotations

import sys

from ollama_slots.benchmark import humaneval
from ollama_slots.benchmark.attacks import ATTACKS
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.grader import Grader


def main() -> int:
    """Prove it; return the exit code."""
    try:
        tasks = humaneval.load()
        with Grader(tasks):
            print(f"proven: {len(tasks)} solutions pass, no empty body does, {len(ATTACKS) + 1} attacks fail")
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

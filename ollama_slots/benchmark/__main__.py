"""Prove the sandbox on this machine, built first where there is none: ``python -m ollama_slots.benchmark``.

``python -m ollama_slots.benchmark grade benchmarks`` grades anew what runs kept there last, and chooses by it.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from ollama_slots.benchmark import humaneval
from ollama_slots.benchmark.attacks import ATTACKS
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.grader import Grader
from ollama_slots.benchmark.run import choose, session, week
from ollama_slots.selection import DEFAULT


def main() -> int:
    """Prove the sandbox, or grade; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ollama_slots.benchmark", description=main.__doc__)
    grade = parser.add_subparsers(dest="what").add_parser("grade", help="grade kept answers anew, and choose")
    grade.add_argument("directory", type=Path, help="in which they are; model_selection.json is beside it")
    arguments = parser.parse_args()
    try:
        print("\n".join(graded(arguments.directory) if arguments.what else proven()))
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def proven() -> list[str]:
    """Return what the sandbox was proven by. Raises BenchmarkError where it is not."""
    tasks = humaneval.load()
    with Grader(tasks):
        return [f"proven: {len(tasks)} solutions pass, no empty body does, {len(ATTACKS) + 1} attacks fail"]


def graded(directory: Path) -> list[str]:
    """Grade what is kept of the last week, without any host, choose, and write the file; return what to tell.

    Raises BenchmarkError where nothing can be chosen.
    """
    weeks = sorted(directory.glob("week-*.json"), key=lambda it: (len(it.name), it.name))
    of = week.read(weeks[-1]) if weeks else None
    if of is None:
        raise BenchmarkError(f"{directory}: expected what tasks/benchmark.py keeps, found none: run it first")
    with ExitStack() as opened:
        opened.enter_context(session.alone(directory))
        kit = session.kit(directory, of, opened, found={})
        target = directory.resolve().parent / DEFAULT
        try:
            changed = not of.before.was(choose.read(target))
        except ValueError as error:
            raise BenchmarkError(f"{target}: {error}") from None
        if changed:
            raise BenchmarkError(
                f"{target}: expected what the last run found or wrote, found that somebody has changed it since: "
                "run tasks/benchmark.py, which begins with that"
            )
        return choose.choose(of, kit, target, f"{datetime.now(UTC):{choose.WHEN}}")


if __name__ == "__main__":
    sys.exit(main())

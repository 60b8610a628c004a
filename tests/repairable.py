"""Writes ollama_slots/benchmark/repairable.json: which mutants of HumanEval's solutions their tests catch."""

import json
import sys
from pathlib import Path

from ollama_slots.benchmark import humaneval
from ollama_slots.benchmark.items.mutate import mutants
from ollama_slots.benchmark.sandbox import build
from ollama_slots.benchmark.sandbox.process import Program, Sandbox

FILE = Path(__file__).parents[1] / "ollama_slots" / "benchmark" / humaneval.REPAIRABLE
FUEL = 10**9  # a mutant that takes more is no item: it would cost the machine a second each time
SLOW = "it did not end within"


def main() -> None:
    sandbox = Sandbox(build.sandbox())
    caught: dict[str, list[int]] = {}
    tried = 0
    for task in humaneval.load():
        whole = Program(task.whole, task.name, task.tests, FUEL)
        if sandbox.run(whole).why:  # the solution itself takes longer than that
            continue
        all_of_them = mutants(task.whole, task.prompt)
        tried += len(all_of_them)
        whys = [sandbox.run(whole._replace(source=it)).why for it in all_of_them]
        caught[task.id] = [n for n, why in enumerate(whys) if why and not why.startswith(SLOW)]
    sandbox.close()
    lines = [f'"{task}": {json.dumps(numbers)}' for task, numbers in caught.items() if numbers]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
    print(f"{sum(map(len, caught.values()))} of {tried} are caught, of {len(lines)} tasks", file=sys.stderr)


if __name__ == "__main__":
    main()

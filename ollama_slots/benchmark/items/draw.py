"""Draw all items of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ollama_slots.benchmark.items import arithmetic, choice, coding, instructions, retrieval
from ollama_slots.benchmark.items.item import Item
from ollama_slots.benchmark.items.task import Task

# How many items each family has; what is coding, and what is general.
FULL = {"trivial": 24, "write": 164, "repair": 96, "predict": 60}
FULL |= {"instructions": 104, "arithmetic": 48, "problems": 40, "retrieval": 30, "choice": 120}
QUICK = {"trivial": 8, "write": 10, "repair": 12, "predict": 12}
QUICK |= {"instructions": 13, "arithmetic": 6, "problems": 8, "retrieval": 6, "choice": 12}
CODING = ("trivial", "write", "repair", "predict")
GENERAL = ("instructions", "arithmetic", "problems", "retrieval", "choice")


def items(seed: int, window: int, tasks: Sequence[Task], sizes: Mapping[str, int] = FULL) -> list[Item]:
    """Return the items of a run: the same for the same arguments; of fewer, the first ones.

    No family's choices change another's.

    + window: tokens of the context window in which the models are served.
    + tasks: HumanEval's.
    + sizes: how many of each family.
    """
    families: dict[str, Callable[[int], list[Item]]] = {
        "trivial": lambda count: coding.trivial(seed, count),
        "write": lambda count: coding.write(seed, count, tasks),
        "repair": lambda count: coding.repair(seed, count, tasks),
        "predict": lambda count: coding.predict(seed, count),
        "instructions": lambda count: instructions.instructions(seed, count),
        "arithmetic": lambda count: arithmetic.arithmetic(seed, count),
        "problems": lambda count: arithmetic.problems(seed, count),
        "retrieval": lambda count: retrieval.retrieval(seed, count, window),
        "choice": lambda count: choice.choice(seed, count),
    }
    return [item for name, count in sizes.items() for item in families[name](count)]

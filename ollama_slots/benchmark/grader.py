"""The door to grading: a grader that has proven itself, for as long as it is open."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from ollama_slots.benchmark import proof
from ollama_slots.benchmark.items.item import Answer, ByTests, Item, Verdict
from ollama_slots.benchmark.items.task import Task
from ollama_slots.benchmark.judge import judged
from ollama_slots.benchmark.sandbox import build
from ollama_slots.benchmark.sandbox.process import Program, Sandbox


class Grader:
    """Grades answers, and owns the process in which programs run.

        with Grader(humaneval.load()) as grader:
            verdict = grader.grade(item, answer)

    + tasks: HumanEval's; before anything is graded, their solutions have to pass, and their empty bodies to fail.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Take the tasks; nothing runs yet."""
        self._tasks = tasks

    def __enter__(self) -> Grader:
        """Build the sandbox where there is none, and prove it. Raises BenchmarkError where that fails."""
        self._sandbox = Sandbox(build.sandbox())
        try:
            proof.prove(self._sandbox, self._tasks)
        except BaseException:
            self._sandbox.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._sandbox.close()

    def grade(self, item: Item, answer: Answer) -> Verdict:
        """Return how an item went. Raises BenchmarkError where the sandbox is lost."""
        return judged(item, answer, self._tested)

    def _tested(self, source: str, check: ByTests) -> str:
        # What the question has of the function is taken away: an answer has to define it. That is compiled by
        # itself, for it may begin with what only the beginning of a program may have (from __future__).
        before = f"{check.context}\ndel {check.name}\n"
        whole = f"exec({before!r})\nexec({source!r})\n"
        return self._sandbox.run(Program(whole, check.name, check.tests)).why

"""Programs that are written, repaired and read: what is right passes, and nothing else does."""

import ast
import hashlib

import pytest

from ollama_slots.benchmark.grader import Grader
from ollama_slots.benchmark.items import coding, extract, programs
from ollama_slots.benchmark.items.coding import Returned
from ollama_slots.benchmark.items.item import Answer, ByTests, Item, NotAnsweredError, Outcome, stream
from ollama_slots.benchmark.items.mutate import mutants
from ollama_slots.benchmark.items.task import Task
from ollama_slots.benchmark.sandbox.process import Program, Sandbox

SEEDS = range(4)


def fails(grader: Grader, item: Item, text: str) -> bool:
    return grader.grade(item, Answer(text)).outcome is Outcome.FAILED


def test_every_solution_passes_and_no_empty_body_does(grader: Grader, tasks: tuple[Task, ...]) -> None:
    items = coding.write(1, len(tasks), tasks)
    assert len(items) == 164
    for item in items:
        assert grader.grade(item, item.reference) == (Outcome.PASSED, ""), item.id
        assert isinstance(item.check, ByTests)
        assert fails(grader, item, coding.block(item.check.context)), item.id


def test_a_repair_passes_and_the_bug_does_not(grader: Grader, tasks: tuple[Task, ...]) -> None:
    items = coding.repair(7, 200, tasks)
    assert len(items) == sum(bool(it.mutants) for it in tasks) >= 140
    for item in items:
        broken = item.prompt.partition("\n\n")[2]
        assert fails(grader, item, broken), item.id
        assert grader.grade(item, item.reference).outcome is Outcome.PASSED, item.id


@pytest.mark.parametrize("seed", SEEDS)
def test_trivial_functions_pass_by_their_reference_alone(grader: Grader, seed: int) -> None:
    for item in coding.trivial(seed, 30):
        assert grader.grade(item, item.reference) == (Outcome.PASSED, ""), item
        assert isinstance(item.check, ByTests)
        for body in ("pass", "return 0", "return True", "return False", "return ''", "return []"):
            assert fails(grader, item, f"{item.check.context}    {body}\n"), (item, body)


def test_what_a_program_is_said_to_return_is_what_it_returns(sandbox: Sandbox) -> None:
    made = [programs.program(stream(seed, "returned", seed), 1 + seed % 3) for seed in range(300)]
    tests = "\n".join(
        f"assert repr(candidate({n})) == {value!r:.0}{repr(value)!r}" for n, (_, value) in enumerate(made)
    )
    functions = "\n".join(source.replace("def f():", f"def f{n}():") for n, (source, _) in enumerate(made))
    source = f"{functions}\ndef it(n): return globals()[f'f{{n}}']()\n"
    assert sandbox.run(Program(source, "it", tests)).why == ""
    assert sandbox.run(Program(source, "it", tests.replace("candidate(299)", "candidate(298)"))).why != ""


def test_a_program_of_a_higher_degree_is_longer() -> None:
    lengths = [
        sum(len(programs.program(stream(n, degree), degree)[0].splitlines()) for n in range(50)) / 50
        for degree in (1, 2, 3)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_prediction_is_right_or_wrong(grader: Grader, seed: int) -> None:
    for item in coding.predict(seed, 30):
        assert grader.grade(item, item.reference) == (Outcome.PASSED, "")
        value = ast.literal_eval(item.reference.text.removeprefix("Answer: "))
        assert fails(grader, item, f"Answer: {[value]}")
        assert fails(grader, item, "Answer: None")
        explained = f"First a is set.\n\nAnswer: 12\nNo, wait.\n\n**Answer:** `{value!r}`"
        assert grader.grade(item, Answer(explained)).outcome is Outcome.PASSED
        assert grader.grade(item, Answer(f"{item.reference.text}\nThat is all.")).outcome is Outcome.NOT_ANSWERED


@pytest.mark.parametrize("text", ["9" * 400 + "+1j", "9" * 5000, "(" * 300 + ")" * 300, "", "\x00"])
def test_what_python_cannot_read_as_a_value_is_no_answer(text: str) -> None:
    with pytest.raises(NotAnsweredError):
        Returned("1").wrong(Answer(f"Answer: {text}"))


def test_mutants_are_python_and_differ(tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        made = mutants(task.whole, task.prompt)
        assert len({task.whole, *made}) == len(made) + 1
        for mutant in made:
            assert mutant.startswith(task.prompt)
            ast.parse(mutant)


def test_mutants_are_the_same_in_every_python(tasks: tuple[Task, ...]) -> None:
    """What repairable.json says of them by their numbers would else be said of others."""
    made = "\0".join(mutant for task in tasks for mutant in mutants(task.whole, task.prompt))
    assert hashlib.sha256(made.encode()).hexdigest()[:12] == "0abfcc92d0ef"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("def f(): pass", "def f(): pass\n"),
        ("Here:\n```python\nx = 1\n```\nIt does so.\n```\ny = 2\n```", "x = 1\n"),
        ("```\nx = '''\n```\n'''\n```", "x = '''\n"),
        ("````python\nx = 1\n```\ny\n````", "x = 1\n```\ny\n"),
        ("Here:\n```python\nx = 1", "x = 1\n"),
        ("~~~\nx = 1\n~~~", "x = 1\n"),
        ("inline ```x``` is none", "inline ```x``` is none\n"),
    ],
)
def test_the_first_code_block_is_the_program(text: str, program: str) -> None:
    assert extract.program(text) == program


def test_a_function_may_use_what_the_question_has(grader: Grader, tasks: tuple[Task, ...]) -> None:
    """Its imports, and functions that stand before it."""
    [item] = [it for it in coding.write(1, 164, tasks) if it.id == "write/38"]
    body = "def decode_cyclic(s: str):\n    return encode_cyclic(encode_cyclic(s))"
    assert grader.grade(item, Answer(body)).outcome is Outcome.PASSED

"""A grader grades what it is given, on any machine, after it has proven itself; or nothing at all."""

import functools
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollama_slots.benchmark import __main__ as command
from ollama_slots.benchmark import humaneval, proof
from ollama_slots.benchmark.attacks import HANG, HONEST
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.grader import Grader
from ollama_slots.benchmark.items.coding import block
from ollama_slots.benchmark.items.draw import QUICK, items
from ollama_slots.benchmark.items.item import Answer, ByTests, Item, Outcome, Verdict
from ollama_slots.benchmark.items.task import Task
from ollama_slots.benchmark.sandbox import build
from tests.unit.benchmark.test_general import tricks
from tests.unit.benchmark.test_sandbox import busy, pid

ADDS = Item(
    "write/add", "?", ByTests("def add(a, b): pass", "add", "assert candidate(2, 3) == 5\n"), 100, Answer(HONEST)
)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**9))
def test_of_every_family_the_reference_passes_and_no_trick_does(
    grader: Grader, tasks: tuple[Task, ...], seed: int
) -> None:
    for item in items(seed, 2048, tasks, QUICK):
        assert grader.grade(item, item.reference) == Verdict(Outcome.PASSED), item
        for trick in list(tricks(item))[:: 4 if isinstance(item.check, ByTests) else 1]:
            assert grader.grade(item, Answer(trick)).outcome in (Outcome.FAILED, Outcome.NOT_ANSWERED), (
                item,
                trick,
            )


def test_verdicts_are_the_same_on_a_loaded_machine(grader: Grader, tasks: tuple[Task, ...]) -> None:
    drawn = [it for it in items(5, 2048, tasks, QUICK) if isinstance(it.check, ByTests)]
    asked = [(it, it.reference) for it in drawn] + [(it, Answer(it.prompt)) for it in drawn]
    slow = "def add(a, b):\n    return sum(1 for _ in range(a * 10**6)) // 10**6 + b"
    asked += [(ADDS, Answer(it)) for it in ("while True: pass", slow, "import time\ntime.sleep(9)\n" + HONEST)]
    idle = [grader.grade(*it) for it in asked]
    with busy():
        loaded = [grader.grade(*it) for it in asked]
    assert loaded == idle
    assert [it.outcome for it in idle[-3:]] == [Outcome.FAILED, Outcome.PASSED, Outcome.PASSED]
    assert idle[-3].why == "it did not end within 1e+10 instructions"


def test_after_a_program_that_hangs_the_next_item_is_graded(
    grader: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = grader._sandbox
    monkeypatch.setattr(sandbox, "run", functools.partial(sandbox.run, deadline=1.0))
    assert grader.grade(ADDS, Answer(HANG)) == Verdict(Outcome.FAILED, "it did not end within 1 s")
    assert grader.grade(ADDS, Answer(HONEST)).outcome is Outcome.PASSED


def test_a_cut_program_ran_out(grader: Grader) -> None:
    cut = grader.grade(ADDS, Answer("```python\ndef add(a, b):\n    return a +", cut=True))
    assert cut.outcome is Outcome.RAN_OUT
    assert cut.why.startswith("cut after 39 characters: SyntaxError")
    assert grader.grade(ADDS, Answer(HONEST + "# and so on", cut=True)).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "begins",
    [
        "from __future__ import annotations\n",
        '"""Adds."""\n\nfrom __future__ import annotations, division\n',
        "import doctest\nimport pdb\nimport configparser\nimport optparse\nimport xml.etree.ElementTree as tree\n",
    ],
)
def test_a_right_program_may_begin_as_programs_do(grader: Grader, begins: str) -> None:
    assert grader.grade(ADDS, Answer(begins + HONEST)) == Verdict(Outcome.PASSED)
    assert grader.grade(ADDS, Answer(begins + HONEST.replace("+", "-"))).outcome is Outcome.FAILED


def test_a_function_of_another_name_is_told(grader: Grader) -> None:
    verdict = grader.grade(ADDS, Answer("def sum_of(a, b):\n    return a + b\n"))
    assert verdict == Verdict(Outcome.FAILED, "no function add is defined")


def test_no_program_is_no_answer(grader: Grader) -> None:
    for text in ("", "```python\n```", "```\n\n"):
        assert grader.grade(ADDS, Answer(text)).outcome is Outcome.NOT_ANSWERED


def test_what_a_program_says_cannot_reach_a_terminal(grader: Grader) -> None:
    shout = "def add(a, b):\n    raise ValueError('\\x1b[2J\\n\\rproven: \\u202e' + 'x' * 999)"
    verdict = grader.grade(ADDS, Answer(shout))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.why.isprintable()
    assert len(verdict.why) <= 200


def test_what_has_ended_has_no_process(tasks: tuple[Task, ...]) -> None:
    with Grader(tasks[:1]) as own:
        process = Path(f"/proc/{pid(own._sandbox)}")
        assert process.exists()
    assert not process.exists()


def test_a_solution_that_fails_is_no_proof(tasks: tuple[Task, ...]) -> None:
    wrong = tasks[0]._replace(solution="    return None\n")
    refused((wrong,), "the solution of HumanEval/0 passed, found 'a wrong value'")


def test_nothing_that_passes_is_no_proof(tasks: tuple[Task, ...]) -> None:
    lax = tasks[0]._replace(tests="candidate([1.0], 2.0)\n")
    refused((lax,), "nothing for HumanEval/0 failed, found passed")


def test_an_attack_that_succeeds_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "ATTACKS", {"adds": HONEST})
    refused((), "the attack that adds failed, found passed")


def test_a_sandbox_without_a_deadline_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "HANG", HANG.replace("30", "0.1"))
    monkeypatch.setattr(proof, "ATTACKS", {})
    refused((), "the attack that hangs failed, found passed")


def refused(tasks: tuple[Task, ...], why: str) -> None:
    """Expect that nothing is graded, in one line that begins so, and that no process is left."""
    grader = Grader(tasks)
    with pytest.raises(BenchmarkError) as error, grader:
        pytest.fail("it grades")
    assert str(error.value).startswith(f"the sandbox is not proven, nothing is graded: expected that {why}")
    assert "\n" not in str(error.value)
    assert grader._sandbox._process is None


@pytest.mark.usefixtures("grader")  # who builds the sandbox says so
def test_the_command_says_in_one_line_that_it_is_proven(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    assert command.main() == 0
    assert capsys.readouterr() == ("proven: 164 solutions pass, no empty body does, 72 attacks fail\n", "")


@pytest.mark.usefixtures("grader")
def test_the_command_says_in_one_line_that_it_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Task("0", "def f():\n    pass\n", "f", "    return 1\n", "assert candidate() == 2\n")
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    monkeypatch.setattr(humaneval, "load", lambda: (wrong,))
    assert command.main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        "the sandbox is not proven, nothing is graded: expected that the solution of HumanEval/0 "
    )
    assert err.count("\n") == 1


def test_a_program_in_a_block_passes(grader: Grader) -> None:
    said = f"Here it is:\n\n{block(HONEST)}\n\nCall it so:\n\n```python\nadd(1, 2)\n```"
    assert grader.grade(ADDS, Answer(said)).outcome is Outcome.PASSED


def test_a_lost_sandbox_is_an_error_and_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "ATTACKS", {})
    with Grader(()) as own:
        own._sandbox.close()
        monkeypatch.setattr(own._sandbox, "_command", build.child(str(tmp_path), "serve", "none"))
        with pytest.raises(BenchmarkError):
            own.grade(ADDS, Answer(HONEST))

"""A program's verdict is what its tests say of its values, whatever happens to the process that runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollama_slots.benchmark.attacks import HANG, HONEST, LAZY, program
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.sandbox import build
from ollama_slots.benchmark.sandbox.process import Program, Sandbox

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.integers() | st.text() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS | st.sets(KEYS) | st.frozensets(KEYS) | st.complex_numbers(allow_nan=False, allow_infinity=False),
    lambda it: st.lists(it) | st.dictionaries(KEYS, it) | st.tuples(it, it),
    max_leaves=12,
)


def pid(sandbox: Sandbox) -> int:
    assert sandbox._process is not None
    return sandbox._process.pid


@contextmanager
def busy() -> Iterator[None]:
    """As loaded as a machine gets: four processes for each processor."""
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4 * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_a_right_program_passes_and_an_empty_one_fails(sandbox: Sandbox) -> None:
    assert sandbox.run(program(HONEST)).why == ""
    assert sandbox.run(program(LAZY)).why == "a wrong value: two and three"


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_a_value_reaches_the_tests_as_it_is(sandbox: Sandbox, value: object) -> None:
    tests = f"inf = float('inf')\nexpected = {value!r}\ngot = candidate(expected)\nassert got == expected"
    if "{" not in repr(value) and "frozenset" not in repr(value):  # the order of a set is nobody's
        tests += " and repr(got) == repr(expected)"
    assert sandbox.run(Program("def same(it): return it", "same", tests)).why == ""


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("__import__('collections').Counter('aab')", "{'a': 2, 'b': 1}"),
        ("__import__('collections').OrderedDict(a=1)", "{'a': 1}"),
        ("__import__('collections').deque([1]).copy() and [1]", "[1]"),
        ("__import__('enum').IntEnum('E', 'one').one", "1"),
        ("float('nan') != float('nan')", "True"),
    ],
)
def test_a_kind_of_a_plain_value_is_one(sandbox: Sandbox, returned: str, expected: str) -> None:
    source = f"def give(): return {returned}"
    assert sandbox.run(Program(source, "give", f"assert candidate() == {expected}")).why == ""
    assert sandbox.run(Program(source, "give", f"assert candidate() != {expected}")).why == "a wrong value"


def test_programs_know_nothing_of_each_other(sandbox: Sandbox) -> None:
    mark = "import builtins, json\nbuiltins.mark = json.mark = 1\ndef it(): return 1"
    assert sandbox.run(Program(mark, "it", "assert candidate() == 1")).why == ""
    seen = "import builtins, json\ndef it(): return hasattr(builtins, 'mark') or hasattr(json, 'mark')"
    assert sandbox.run(Program(seen, "it", "assert candidate() is False")).why == ""


def test_the_tests_know_nothing_of_the_program(sandbox: Sandbox) -> None:
    source = "import builtins\nbuiltins.abs = None\ndef it(): return 1"
    assert sandbox.run(Program(source, "it", "assert abs(-candidate()) == 1")).why == ""


def test_a_dataclass_works(sandbox: Sandbox) -> None:
    source = """
from __future__ import annotations
from dataclasses import dataclass
@dataclass
class Point:
    x: int = 3
def it(): return Point().x
"""
    assert sandbox.run(Program(source, "it", "assert candidate() == 3")).why == ""


def test_a_program_that_hangs_is_ended_and_the_next_one_runs(sandbox: Sandbox) -> None:
    sandbox.run(program(HONEST))
    before = pid(sandbox)
    began = time.monotonic()
    assert sandbox.run(program(HANG), deadline=1.0).why == "it did not end within 1 s"
    assert 0.9 <= time.monotonic() - began < 10
    assert not Path(f"/proc/{before}").exists()
    assert sandbox.run(program(HONEST)).why == ""


def test_a_process_that_was_ended_is_replaced(sandbox: Sandbox) -> None:
    sandbox.run(program(HONEST))
    os.kill(pid(sandbox), signal.SIGKILL)
    assert sandbox.run(program(HONEST)).why == ""
    assert sandbox.run(program(LAZY)).why == "a wrong value: two and three"


def test_instructions_are_counted_the_same_on_a_loaded_machine(sandbox: Sandbox) -> None:
    work = Program("def it(n): return sum(i * i % 7 for i in range(n))", "it", "assert candidate(50000) == 100000")
    few = work._replace(fuel=10**7)
    idle = [sandbox.run(work), sandbox.run(few)]
    with busy():
        loaded = [sandbox.run(work), sandbox.run(few)]
    assert [it.why for it in loaded] == [it.why for it in idle]
    assert idle[1].why == "it did not end within 1e+07 instructions"
    assert abs(idle[0].fuel - loaded[0].fuel) < 0.01 * idle[0].fuel


def test_the_process_has_no_environment_and_little_else(sandbox: Sandbox) -> None:
    sandbox.run(program(HONEST))
    process = Path(f"/proc/{pid(sandbox)}")
    assert (process / "environ").read_bytes() == b""
    assert (process / "cwd").readlink() == Path("/")
    limits = (process / "limits").read_text()
    for limit in ("file size", "core file size"):
        assert f"Max {limit}".ljust(26) + "0".ljust(21) + "0 " in limits
    assert len(list((process / "fd").iterdir())) < 16


def test_what_is_closed_has_no_process() -> None:
    own = Sandbox(build.sandbox())
    own.run(program(HONEST))
    process = Path(f"/proc/{pid(own)}")
    assert process.exists()
    own.close()
    own.close()
    assert not process.exists()


def test_a_damaged_sandbox_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "damaged.cwasm").write_bytes(b"damaged")
    with pytest.raises(
        BenchmarkError, match=r"^expected a sandbox in .*damaged.cwasm, found none that starts: remove "
    ):
        Sandbox(tmp_path / "damaged.cwasm").run(program(HONEST))


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        BenchmarkError, match=r"^expected wasmtime, found none: pip install 'PATH/TO/ollama-slots\[benchmark\]'$"
    ):
        build.sandbox()


def test_another_recipe_is_another_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.recipe()
    assert before == build.recipe()
    monkeypatch.setattr(build, "RECIPE", build.RECIPE[:-1])
    assert build.recipe() != before

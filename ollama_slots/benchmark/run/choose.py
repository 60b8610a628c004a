"""Choose from what is kept, and write model_selection.json, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.choice import file, told
from ollama_slots.benchmark.run import compare, week
from ollama_slots.benchmark.run.measure import Kit
from ollama_slots.benchmark.run.reported import report
from ollama_slots.benchmark.run.week import Week
from ollama_slots.selection import decoded

WHEN = "%Y-%m-%dT%H:%M:%SZ"


def choose(of: Week, kit: Kit, target: Path, now: str) -> list[str]:
    """Choose, write the file where it is not that already, with a copy and a report; return what to tell.

    The same week, measured the same, gives the same bytes: the file keeps its timestamp then.

    + target: model_selection.json
    + now: the timestamp of a new one

    Raises BenchmarkError with one line where nothing can be chosen; the file is left as it is then.
    """
    wrote, passed = of.before.wrote, kit.passed(of)
    try:
        when = str(json.loads(wrote)["timestamp"]) if wrote else now
        decision = compare.choice(of, passed, kit.basis, when)
        if (text := file.text(decision)) != wrote:
            decision = compare.choice(of, passed, kit.basis, now)
            text = file.text(decision)
    except ValueError as error:
        raise BenchmarkError(f"{target.name} is left as it is: {error}") from None
    said = told.lines(decision) + [f"{name} is not compared: {why}" for name, why in decision.run.failed.items()]
    if text != wrote:
        of.before = of.before.model_copy(update={"wrote": text})
        week.write(kit.directory, of)
    elif read(target) == text:
        return [*said, f"{target.name}: no change"]
    beside = kit.directory / decision.when[:10]
    beside.mkdir(exist_ok=True)
    for name, content in {**report(of, kit, decision), target.name: text}.items():
        week.replace(beside / name, content)
    week.replace(target, text)
    taken = "a deploy takes it, but for slots whose model your own data say"
    return [*said, f"{target.name} is written; {taken}; the report is {beside / 'report.html'}"]


def read(target: Path) -> str:
    """Return what a selection file has; nothing where there is none. Raises ValueError where it is no text."""
    return decoded(target.read_bytes()) if target.exists() else ""

"""The benchmark on real hosts: models are measured while users ask all slots; the next deploy takes the choice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.lab.client import asking, assert_none_failed
from tests.lab.conftest import SLOT4
from tests.lab.fleet import ROOT, SLOTS, Host, Project, Run, model

FILE, PAUSE = "model_selection.json", 3  # seconds between two questions of a user
# Seconds: who asks the slot that is asked waits for its answer, of up to 1024 tokens, by a part of a processor.
PATIENCE = 300
SEED = 1
SIZES = {"trivial": 5, "arithmetic": 4, "choice": 16}
ITEMS = sum(SIZES.values())
HELD = [model(it) for it in ("smollm2-coder:135m", "gemma3:270m", "smollm2:135m")]
TWIN, CHALLENGER = model("smollm2-twin:135m"), model("smollm2-chat:135m")
WORSE, WORST = model("smollm2-worse:135m"), model("smollm2-worst:135m")
UNKNOWN, VAST = model("unknown-arch:135m"), model("smollm2-vast:135m")
# Few and short runs, and whether others are at work does not matter: the machine is shared by all hosts.
TASK = """
from ollama_slots.benchmark.asking.timing import Procedure
from ollama_slots.benchmark.run.task import benchmark

few = Procedure(warm_ups=1, runs=3, prompt=64, at_depth=0, tokens=16, busy=100)
benchmark(sizes={sizes}, procedure=few)
"""
# The two that tie have the same prompt and parameters here, so that all their answers are the same.
DATA = """
del slot1_system, slot1_parameters
benchmark_models = {models}
globals().update(slot_models("{file}"))
"""


def declare(project: Project, **data: Any) -> None:
    """Declares data for both hosts, before `with_few`."""
    with (project.path / "group_data" / "lab.py").open("a") as file:
        file.writelines(f"\n{key} = {value!r}\n" for key, value in data.items())


def with_few(project: Project, sizes: dict[str, int], *models: str) -> Project:
    """The project, deployed, with a task few.py that asks gpu2 so many items of each family."""
    with (project.path / "group_data" / "lab.py").open("a") as data:
        data.write(DATA.format(models=list(models), file=FILE))
    (project.path / "inventory.py").write_text('lab = ["gpu1", "gpu2"]\nbenchmark = ["gpu2"]\n')
    (project.path / "few.py").write_text(TASK.format(sizes=sizes))
    run = project.deploy(SLOT4)
    assert run.code == 0, run.output
    return project


@pytest.fixture
def measuring(project: Project) -> Project:
    return with_few(project, SIZES, TWIN, CHALLENGER)


def measured(project: Project) -> Run:
    run = project.run(project.command("-y", "--data", SLOT4, tasks="few.py"), timeout=1800)
    assert run.code == 0, run.output
    return run


def content(project: Project) -> dict[str, Any]:
    return dict(json.loads((project.path / FILE).read_text()))


def chosen(project: Project) -> list[str]:
    return [content(project)[it] for it in ("slot1_coding", "slot2_general", "slot3_backup")]


def answers(project: Project) -> list[Path]:
    return sorted((project.path / "benchmarks").glob("answers-*.jsonl"))


def test_from_the_measurement_to_the_deploy(
    measuring: Project, gpu1: Host, gpu2: Host, figures: list[str]
) -> None:
    before = [{it: host.made()[f"{it}:latest"] for it in SLOTS} for host in (gpu1, gpu2)]
    runners = [host.runners() for host in (gpu1, gpu2)]
    patient = {"pause": PAUSE, "patience": PATIENCE}
    with asking(gpu1, *SLOTS, **patient) as ours, asking(gpu2, *SLOTS, **patient) as theirs:
        run = measured(measuring)
    for record in (*ours, *theirs):
        figures.append(f"benchmark: {record}")
    assert_none_failed(*ours, *theirs)
    assert [{it: host.made()[f"{it}:latest"] for it in SLOTS} for host in (gpu1, gpu2)] == before
    assert [host.runners() for host in (gpu1, gpu2)] == runners, "no slot was touched, and no candidate is left"
    assert not [it for it in gpu2.made() if "candidate" in it]
    results = content(measuring)["results"]
    assert {*results} == {*HELD, CHALLENGER}, "a name with the same weights is a candidate of its own"
    assert TWIN in results[model("smollm2:135m")]["also_named"]
    one, other = (results[model(it)] for it in ("smollm2:135m", "smollm2-coder:135m"))
    assert [one[it] for it in ("coding", "general")] == [other[it] for it in ("coding", "general")]
    assert all(it["speed"]["gpu_bytes"]["slot1"] > 0 for it in results.values())
    assert {*chosen(measuring)} <= {*results}
    assert len(run.lines("slot 1: ")) == 1, run.output
    counts = sorted(len(it.read_text().splitlines()) for it in answers(measuring))
    assert counts[1:] == [ITEMS] * 3, "the challenger's may be fewer"

    reports = sorted((measuring.path / "benchmarks").glob("*/report.*"))
    assert [it.name for it in reports] == ["report.html", "report.md"]
    for report in reports:
        shutil.copy(report, ROOT / ".lab" / f"benchmark-{report.name}")  # make benchmark has it in docs/
    text = (measuring.path / FILE).read_bytes()
    again = measured(measuring)
    assert again.lines(f"{FILE}: no change"), again.output
    assert not again.lines(f"of {ITEMS} items"), again.output
    assert (measuring.path / FILE).read_bytes() == text

    deployed = measuring.deploy(SLOT4)
    assert deployed.code == 0, deployed.output
    assert [gpu2.parent(it) for it in SLOTS[:3]] == chosen(measuring)
    assert [gpu1.parent(it) for it in SLOTS[:3]] == chosen(measuring)
    code, failed, said = measuring.verify()
    assert (code, failed) == (0, set()), said
    assert measured(measuring).lines(f"{FILE}: no change")
    assert (measuring.path / FILE).read_bytes() == text
    selection = measuring.run([sys.executable, "-m", "ollama_slots.selection", FILE])
    assert "explicit" not in selection.output


def test_each_model_takes_its_place(project: Project, gpu2: Host, figures: list[str]) -> None:
    """Slot 1 has a model that answers nonsense: who is better beyond doubt takes its place, and nobody else's."""
    was = {1: WORST, 2: model("smollm2-math:135m"), 3: model("smollm2:135m")}
    declare(project, **{f"slot{number}_model": it for number, it in was.items()})
    ladder = with_few(project, {"trivial": 24, "choice": 4}, TWIN, CHALLENGER, WORSE, UNKNOWN, VAST)
    start = time.monotonic()
    with asking(gpu2, *SLOTS, pause=PAUSE, patience=PATIENCE) as records:
        run = measured(ladder)
    figures.append(f"benchmark: {time.monotonic() - start:.0f} s for the ladder")
    assert_none_failed(*records)
    results = content(ladder)["results"]
    assert {*results} == {*was.values(), CHALLENGER, WORSE}
    assert TWIN in results[was[3]]["also_named"]
    quality = {it: results[it]["coding"]["quality"] for it in results}
    figures.append(f"benchmark: the ladder: {quality}")
    assert quality[WORST] < quality[WORSE] < quality[CHALLENGER] == quality[was[2]] == quality[was[3]]
    assert chosen(ladder)[1:] == [was[2], was[3]], "who ties does not switch"
    # Slot 3 keeps its own; of the others, by quality and speed; how fast each is, nobody knows before.
    free = [CHALLENGER, WORSE, was[2]]
    assert chosen(ladder)[0] == max(free, key=lambda it: results[it]["coding_composite"])
    assert run.lines(UNKNOWN, "is not measured here"), run.output
    assert run.lines(VAST, "does not fit"), run.output
    assert not [it for it in gpu2.made() if "candidate" in it]


def test_a_hopeless_challenger_is_asked_no_more(project: Project, figures: list[str]) -> None:
    """Three equals have the slots. What is asked of the challenger is enough to doubt it, and not all there is."""
    held = [HELD[0], model("smollm2-math:135m"), model("smollm2:135m")]
    declare(project, **{f"slot{number}_model": it for number, it in enumerate(held, 1)})
    few = with_few(project, {"trivial": 36, "choice": 108}, WORST)
    run = measured(few)
    (line,) = run.lines(WORST, "is asked no more")
    asked = int(line.partition(" after ")[2].split()[0])
    figures.append(f"benchmark: a hopeless challenger is asked {asked} of 144 items")
    assert sorted(len(it.read_text().splitlines()) for it in answers(few)) == [asked, 144, 144, 144]
    assert WORST in content(few)["results"]
    assert chosen(few) == held


def test_slots_make_way_on_a_spare_host(project: Project, gpu2: Host, figures: list[str]) -> None:
    """Four models are all that its Ollama holds."""
    declare(project, max_loaded_models=4)
    spare = with_few(project, {"trivial": 3, "choice": 4}, CHALLENGER)
    start = time.monotonic()
    run = measured(spare)
    figures.append(f"benchmark: {time.monotonic() - start:.0f} s where slots make way for a candidate")
    assert run.lines("gpu2", CHALLENGER, "slots make way for it"), run.output
    assert CHALLENGER in content(spare)["results"]
    assert gpu2.resident(*SLOTS)
    assert len(gpu2.ps()) == len(SLOTS)
    assert all(it["expires_at"] > "2200" for it in gpu2.ps().values())
    assert not [it for it in gpu2.made() if "candidate" in it]
    assert spare.deploy(SLOT4, tasks="tasks/status.py").code == 0


def test_a_run_that_is_killed_at_ten_moments_ends_as_one_that_is_not(project: Project, figures: list[str]) -> None:
    few, chance, ended = with_few(project, {"trivial": 6, "choice": 6}, CHALLENGER), Random(SEED), 0
    for _ in range(10):
        run = few.start("--data", SLOT4, tasks="few.py")
        try:
            run.wait(chance.uniform(5, 40))
            ended += 1
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait(60)
    assert ended < 5, "most were killed in the middle"
    assert ended or not (few.path / FILE).exists()
    kept = {it: it.read_bytes() for it in answers(few)}
    assert kept
    done = measured(few)
    assert ended or done.lines(f"{FILE} is written"), done.output
    assert all(file.read_bytes().startswith(was.rpartition(b"\n")[0]) for file, was in kept.items())
    for file in answers(few):
        lines = [json.loads(it) for it in file.read_text().splitlines()]
        assert len({it["item"] for it in lines}) == len(lines), "an item was asked twice"
    once = told(few)
    figures.append(f"benchmark: killed {10 - ended} times, {len(answers(few))} models answered each item once")
    shutil.rmtree(few.path / "benchmarks")
    (few.path / FILE).unlink()
    measured(few)
    assert told(few) == once


def told(project: Project) -> tuple[list[str], dict[str, Any], dict[str, list[str]]]:
    """What is chosen, the quality of each model, and what each answered; speeds are others each time."""
    results = content(project)["results"]
    quality = {name: [it["coding"], it["general"]] for name, it in results.items()}
    texts = {
        it.name: sorted(f"{line['item']} {line['text']}" for line in map(json.loads, it.read_text().splitlines()))
        for it in answers(project)
    }
    return chosen(project), quality, texts


def test_where_every_answer_is_late_nothing_is_written(measuring: Project, gpu2: Host) -> None:
    task = (measuring.path / "few.py").read_text()
    short = "from ollama_slots.benchmark.asking import hosts\nhosts.SECONDS = 2  # of 300\n"
    (measuring.path / "few.py").write_text(f"{short}{task}")
    stopped = " ".join(gpu2.runners())
    gpu2.run(f"kill -STOP {stopped}")
    try:
        run = measuring.deploy(SLOT4, tasks="few.py")
    finally:
        gpu2.run(f"kill -CONT {stopped}")
    assert run.code == 1
    assert not (measuring.path / FILE).exists()
    assert run.lines("gpu2", "timed 0 of"), run.output


def test_a_slot_that_is_not_resident_is_no_choice(measuring: Project, gpu2: Host) -> None:
    gpu2.unload("backup")
    run = measuring.deploy(SLOT4, tasks="few.py")
    assert run.code == 1
    assert run.lines("gpu2", "slot backup", "not in memory"), run.output
    assert not (measuring.path / FILE).exists()
    assert "backup:latest" not in {it["name"] for it in gpu2.ps().values()}, "the benchmark loaded it"

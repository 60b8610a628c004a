"""A run measures what is not measured yet, chooses, and writes the file whole or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ollama_slots import selection
from ollama_slots.benchmark.asking.answered import answered
from ollama_slots.benchmark.asking.ask import BLOCK, FIRST
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.item import Answer, Item, Outcome, Verdict
from ollama_slots.benchmark.run import course
from ollama_slots.benchmark.run.marks import Marks
from ollama_slots.benchmark.run.week import seed_of
from ollama_slots.host.questions import Reply
from tests.unit.benchmark.run.benches import LATER, NOW, SEED, SIZES, FakeBench, Killed, Made, Project, items

COUNT = sum(SIZES.values())
A, B, C = Made("a:7b"), Made("b:7b", 0.7, 0.85), Made("c:7b", 0.7, 0.7)
HELD = {1: A, 2: B, 3: C}
BETTER, WORSE = Made("better:7b", 1.0, 0.8), Made("worse:7b", 0.1, 0.1)


def bench(*others: Made, name: str = "gpu1", slots: dict[int, Made] = HELD, **more: Any) -> FakeBench:
    return FakeBench(name, dict(slots), list(others), **more)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_slots_models_are_asked_and_stay_and_the_next_deploy_takes_them(project: Project) -> None:
    host = bench()
    said = project.run(host)
    assert project.slots == ["a:7b", "b:7b", "c:7b"]
    assert {it: host.of(it) for it in project.slots} == dict.fromkeys(project.slots, COUNT)
    assert host.timed == project.slots
    assert said[-1].startswith("model_selection.json is written; a deploy takes it")
    assert any(line.startswith("slot 1: a:7b: stays: ") for line in said)
    chosen = selection.choose(selection.parse(project.text))
    assert [it.model for it in chosen.values()] == project.slots
    copy = project.directory / "2026-11-26" / "model_selection.json"
    assert copy.read_text() == project.text


def test_the_report_is_beside_the_copy_with_what_models_answered_and_other_slots_take(project: Project) -> None:
    project.challengers = ("better:7b",)
    project.run(bench(BETTER, experimental=12))
    page, text = (project.directory / "2026-11-26" / f"report.{it}" for it in ("html", "md"))
    for it in (page.read_text(), text.read_text()):
        assert all(word in it for word in ("better:7b", "no idea", "other slots", "gpu1", "12.0"))


def test_what_slot_4_shares_with_a_chosen_model_is_one_runner_in_the_report(project: Project) -> None:
    project.run(bench(experimental=5, shares="a:7b", gigabytes=18))
    text = (project.directory / "2026-11-26" / "report.md").read_text()
    assert "15.0 GB of the 18.0 GB" in text
    assert "other slots" not in text


def test_a_challenger_that_is_better_beyond_doubt_gets_the_slot(project: Project) -> None:
    project.challengers = ("better:7b",)
    project.run(bench(BETTER))
    assert project.slots == ["better:7b", "b:7b", "c:7b"]
    assert json.loads(project.text)["benchmark"]["choice"]["slot1"]["was"] == "a:7b"


def test_a_second_run_asks_nothing_changes_nothing_and_is_no_evidence(project: Project) -> None:
    project.challengers = ("better:7b",)
    project.run(bench(BETTER))
    before = {it: it.read_bytes() for it in project.path.rglob("*.json*")}
    host = bench(BETTER)
    said = project.run(host, now=LATER)
    assert (host.asked, host.timed, host.opened) == ([], [], [])
    assert said[-1] == "model_selection.json: no change"
    assert {it: it.read_bytes() for it in project.path.rglob("*.json*")} == before


def test_nor_is_one_after_its_choice_was_deployed(project: Project) -> None:
    project.challengers = ("better:7b",)
    project.run(bench(BETTER))
    before = project.text
    host = bench(A, slots={1: BETTER, 2: B, 3: C})
    assert project.run(host, now=LATER)[-1] == "model_selection.json: no change"
    assert (host.asked, project.text) == ([], before)


def test_a_name_that_is_another_model_by_now_is_measured_anew(project: Project) -> None:
    project.run(bench())
    moved = bench(slots={1: Made("a:7b", of="a:7b of today"), 2: B, 3: C})
    project.run(moved, now=LATER)
    assert (moved.of("a:7b"), len(moved.asked), moved.timed) == (COUNT, COUNT, ["a:7b"])
    assert [it.names for it in project.week.models.values()].count(("a:7b",)) == 1
    assert len(json.loads(project.text)["results"]) == 3


def test_a_name_that_is_another_model_on_another_host_is_told_of_and_nothing_is_measured(project: Project) -> None:
    """Else the last host would say what the fleet has."""
    moved = bench(slots={1: Made("a:7b", of="a:7b of today"), 2: B, 3: C}, name="gpu2")
    with pytest.raises(
        BenchmarkError, match=r"^a:7b: expected the same weights on all hosts, found .* on gpu1 and "
    ):
        project.run(bench(), moved)
    assert moved.asked == []


def test_nor_is_it_measured_where_a_host_has_just_pulled_another_one_by_that_name(project: Project) -> None:
    """Else the last host would say what the fleet has: nobody gets a slot by a name of which there are two."""
    project.challengers = ("x:7b", "better:7b")
    hosts = [
        bench(Made("x:7b", 1.0, 1.0), BETTER, name="gpu1"),
        bench(Made("x:7b", 0.2, 0.2, of="of last year"), name="gpu2", kind="another GPU"),
        bench(Made("x:7b", 1.0, 1.0), name="gpu3", kind="a third GPU"),
    ]
    said = project.run(*hosts)
    assert project.slots == ["better:7b", "b:7b", "c:7b"]
    assert "x:7b" not in json.loads(project.text)["results"]
    assert any(it.startswith("x:7b is not compared: x:7b: expected the same weights on all hosts") for it in said)
    assert [it.of("x:7b") for it in hosts[1:]] == [0, 0]


@pytest.mark.parametrize("dies_at", [0, 1, FIRST, 50, COUNT, COUNT + 30, 3 * COUNT, 3 * COUNT + 40])
def test_a_run_that_was_killed_anywhere_ends_with_the_same_file(tmp_path: Path, dies_at: int) -> None:
    files = []
    for at in (None, dies_at):
        project = Project(tmp_path / f"{at}", ("better:7b", "worse:7b"))
        project.path.mkdir()
        host = bench(BETTER, WORSE, dies_at=at)
        if at is not None:
            with pytest.raises(Killed):
                project.run(host)
            assert not project.target.exists()
        host.dies_at = None
        project.run(host)
        files.append(project.text)
        assert len(host.asked) - len({*host.asked}) <= BLOCK, "no more than a block is asked again"
    assert files[1] == files[0]


def test_one_killed_between_what_it_keeps_and_the_file_writes_the_file(project: Project) -> None:
    project.run(bench())
    text = project.text
    project.target.unlink()
    project.run(bench(), now=LATER)
    assert project.text == text


def test_a_hopeless_candidate_is_asked_no_more_and_keeps_its_figures(project: Project) -> None:
    project.challengers = ("worse:7b",)
    host = bench(WORSE)
    said = project.run(host)
    asked = host.of("worse:7b")
    assert FIRST + BLOCK <= asked < COUNT
    result = json.loads(project.text)["results"]["worse:7b"]
    assert result["coding"]["items"] + result["general"]["items"] == asked
    assert "coding_composite" not in result
    [told] = [it for it in host.told if "asked no more" in it]
    assert told.startswith(f"worse:7b is asked no more after {asked} of {COUNT} items: for each slot another")
    assert any(line.startswith("  not worse:7b: answered ") for line in said)
    again = bench(WORSE)
    project.run(again, now=LATER)
    assert again.asked == []


@pytest.mark.parametrize(("level", "speed"), [(0.65, 160), (0.7, 80)])
def test_one_that_is_faster_than_all_is_measured_by_its_own_speed_while_it_is_asked(
    project: Project, level: float, speed: float
) -> None:
    """As it is in the end: no faster than the incumbents, it would be worse beyond doubt."""
    project.sizes = {"trivial": 300, "arithmetic": 300}
    slots = {slot: Made(name, 0.9, 0.9) for slot, name in enumerate(("a:7b", "b:7b", "c:7b"), 1)}
    project.challengers = ("fast:3b",)
    host = bench(Made("fast:3b", level, level, speed=speed), slots=slots)
    project.run(host)
    assert host.of("fast:3b") == 600
    assert "fast:3b" in project.slots


@pytest.mark.parametrize("answers", [3, 30])
def test_a_candidate_that_answers_no_more_is_asked_no_more(project: Project, answers: int) -> None:
    project.challengers = ("hangs:7b",)
    host = bench(Made("hangs:7b", 0.9, 0.9), silent_after={"hangs:7b": answers})
    said = project.run(host)
    assert host.of("hangs:7b") < answers + 2 * BLOCK
    [told] = [it for it in host.told if "asked no more" in it]
    assert told.endswith("items unanswered")
    assert any(line.startswith("  not hangs:7b: answered ") for line in said)
    assert project.slots == ["a:7b", "b:7b", "c:7b"]


def test_what_no_model_answers_is_held_against_none(project: Project) -> None:
    """Such as long retrieval on a slow host."""
    project.challengers = ("better:7b",)
    host = bench(BETTER, mute={f"trivial {it}?" for it in range(6)})
    project.run(host)
    assert host.of("better:7b") == COUNT
    assert project.slots[0] == "better:7b"


def test_an_incumbent_that_answers_no_more_is_asked_on(project: Project) -> None:
    host = bench(silent_after={"a:7b": 30})
    project.run(host)
    assert host.of("a:7b") == COUNT


def test_an_incumbent_is_never_dropped(project: Project) -> None:
    host = bench(slots={1: A, 2: B, 3: WORSE})
    project.challengers = ("c:7b",)
    host.others.append(C)
    project.run(host)
    assert host.of("worse:7b") == COUNT


def test_one_that_was_dropped_and_has_a_slot_by_now_is_asked_the_rest(project: Project) -> None:
    project.challengers = ("worse:7b",)
    host = bench(WORSE)
    project.run(host)
    project.target.write_text('{"slot1_coding": "a:7b", "slot2_general": "worse:7b", "slot3_backup": "c:7b"}')
    project.run(host, now=LATER)
    assert host.of("worse:7b") == COUNT


@pytest.mark.parametrize("holder", [0, 1])
def test_a_tie_never_switches_in_either_direction(project: Project, holder: int) -> None:
    """Other names and weights, the same answers."""
    pair = [Made("one:7b", 0.8, 0.8), Made("two:7b", 0.8, 0.8)]
    for it in pair:
        it.says = Made("alike").says  # type: ignore[method-assign]
    had, other = pair[holder], pair[1 - holder]
    project.challengers = (other.name,)
    said = project.run(bench(other, slots={1: had, 2: had, 3: C}))
    assert project.slots[:2] == [had.name, had.name]
    evidence = json.loads(project.text)["benchmark"]["evidence"]["slots"]["slot1"]["against"]
    assert evidence[f"sha256:{other.weights}"]["logs"] == [0.0] * 5
    assert any(other.name in line for line in said if "no difference beyond doubt from" in line)


def test_names_with_the_same_weights_are_one_candidate_and_asked_once(project: Project) -> None:
    twin = Made("a-twin:7b", of="a:7b")
    project.challengers = ("a-twin:7b",)
    host = bench(twin)
    project.run(host)
    assert (host.of("a:7b"), host.of("a-twin:7b")) == (COUNT, 0)
    assert host.timed.count("a-twin:7b") == 0
    assert project.slots[0] == "a:7b"
    assert json.loads(project.text)["results"]["a:7b"]["also_named"] == ["a-twin:7b"]


def test_quality_is_measured_once_for_a_fleet_and_speed_once_a_kind_of_host(project: Project) -> None:
    hosts = [bench(name="gpu1"), bench(name="gpu2"), bench(name="gpu3", kind="another GPU")]
    hosts[2].slots[3] = Made("c:7b", 0.7, 0.7, speed=9)
    project.run(*hosts)
    assert [len(it.asked) for it in hosts] == [3 * COUNT, 0, 0]
    assert [len(it.timed) for it in hosts] == [3, 0, 3]
    assert json.loads(project.text)["results"]["c:7b"]["tokens_per_sec"] == 40, "speeds of two kinds are mixed"


def test_what_one_host_cannot_do_another_may(project: Project) -> None:
    project.challengers = ("better:7b",)
    hosts = [bench(name="gpu1"), bench(BETTER, name="gpu2")]
    project.run(*hosts)
    assert hosts[1].of("better:7b") == COUNT
    assert "better:7b" in json.loads(project.text)["results"]
    assert json.loads(project.text)["benchmark"]["failed"] == {}


def test_a_slot_that_can_be_asked_on_another_host_is_and_the_first_one_is_told_to_fail(project: Project) -> None:
    hosts = [bench(gone={"a:7b"}), bench(name="gpu2")]
    project.run(*hosts)
    assert hosts[0].told[-1] == "failed: a:7b does not fit on gpu1"
    assert (hosts[0].of("a:7b"), hosts[1].of("a:7b")) == (0, COUNT)
    assert project.slots == ["a:7b", "b:7b", "c:7b"]


def test_a_challenger_that_cannot_be_measured_is_told_with_why(project: Project) -> None:
    project.challengers = ("big:70b",)
    said = project.run(bench())
    assert json.loads(project.text)["benchmark"]["failed"] == {"big:70b": "big:70b does not fit on gpu1"}
    assert "big:70b is not compared: big:70b does not fit on gpu1" in said


def test_where_nothing_answers_there_is_no_file_and_one_line(project: Project) -> None:
    host = bench(silent={"a:7b", "b:7b", "c:7b"})
    with pytest.raises(BenchmarkError) as error:
        project.run(host)
    assert "\n" not in f"{error.value}"
    assert "answered none of 3 items" in f"{error.value}"
    assert [*project.path.glob("model_selection*")] == []
    assert not any(it.is_dir() for it in project.directory.iterdir())


@pytest.mark.parametrize(
    "trouble",
    [{"silent": {"a:7b"}}, {"noisy": True}, {"breaks_at": 50}, {"breaks_at": COUNT - 1}, {"breaks_at": COUNT + 9}],
    ids=str,
)
def test_an_incumbent_that_could_not_be_measured_does_not_lose_its_slot(
    project: Project, trouble: dict[str, Any]
) -> None:
    """Whether it is the host, its connection or the model, nobody can tell."""
    project.challengers = ("better:7b",)
    project.target.write_text('{"slot1_coding": "a:7b", "slot2_general": "b:7b", "slot3_backup": "c:7b"}')
    before, host = project.text, bench(BETTER, **trouble)
    with pytest.raises(BenchmarkError, match=r"^model_selection\.json is left as it is: "):
        project.run(host)
    assert project.text == before
    assert any(it.startswith("failed: ") for it in host.told)
    project.run(bench(BETTER))
    assert project.slots[0] == "better:7b"


def test_more_items_in_the_same_week_are_asked_and_no_others(project: Project) -> None:
    project.sizes = {"trivial": 20, "arithmetic": 20}
    project.run(bench())
    project.sizes = dict(SIZES)
    host = bench()
    project.run(host, now=LATER)
    assert len(host.asked) == 3 * (COUNT - 40)
    assert json.loads(project.text)["timestamp"] == LATER


def test_a_run_for_more_items_that_breaks_does_not_choose_by_those_of_before(project: Project) -> None:
    project.sizes = {"trivial": 20, "arithmetic": 20}
    project.run(bench())
    before, project.sizes = project.text, dict(SIZES)
    for trouble in ({"gone": {"a:7b"}}, {"breaks_at": 30}):
        with pytest.raises(BenchmarkError):
            project.run(bench(**trouble), now=LATER)
        assert project.text == before


def test_what_a_slot_had_in_a_run_that_chose_nothing_is_not_held_against_what_it_has_now(project: Project) -> None:
    with pytest.raises(BenchmarkError):
        project.run(bench(noisy=True))
    assert not project.target.exists()
    project.run(bench(BETTER, slots={1: BETTER, 2: B, 3: C}))
    assert project.slots[0] == "better:7b"
    assert json.loads(project.text)["benchmark"]["choice"]["slot1"]["why"].startswith("stays")


def test_who_changed_the_file_since_is_taken_at_their_word(project: Project) -> None:
    project.run(bench())
    project.target.write_text('{"slot1_coding": "c:7b", "slot2_general": "b:7b", "slot3_backup": "a:7b"}')
    project.run(bench(), now=LATER)
    assert json.loads(project.text)["timestamp"] == LATER
    assert "was" not in json.loads(project.text)["benchmark"]["choice"]["slot1"]
    assert project.slots == ["c:7b", "b:7b", "a:7b"]


def test_a_file_that_was_removed_in_a_week_without_a_choice_counts_no_more(project: Project) -> None:
    project.target.write_text('{"slot1_coding": "gone:7b", "slot2_general": "b:7b", "slot3_backup": "c:7b"}')
    with pytest.raises(BenchmarkError):
        project.run(bench(noisy=True))
    project.target.unlink()
    project.run(bench(), now=LATER)
    assert project.slots == ["a:7b", "b:7b", "c:7b"]


def test_a_challenger_more_in_the_same_week_is_weighed_by_the_evidence_of_before_it(project: Project) -> None:
    project.run(bench())
    first = json.loads(project.text)["benchmark"]["evidence"]["slots"]["slot1"]
    project.challengers = ("d:7b",)
    project.run(bench(Made("d:7b", 0.82, 0.8)), now=LATER)
    second = json.loads(project.text)["benchmark"]["evidence"]["slots"]["slot1"]
    for weights, wealth in first["against"].items():
        assert wealth["logs"] == second["against"][weights]["logs"]


def test_what_does_not_fit_beside_the_others_on_the_smallest_host_is_not_chosen(project: Project) -> None:
    project.challengers = ("big:30b",)
    big = Made("big:30b", 1.0, 1.0, gigabytes=40)
    project.run(bench(big), bench(name="gpu2", gigabytes=44))
    assert "big:30b" not in project.slots
    assert "does not fit" in project.text
    alone = Project(project.path / "alone", ("big:30b",))
    alone.path.mkdir()
    alone.run(bench(big))
    assert "big:30b" in alone.slots


@pytest.mark.parametrize(("window", "first"), [(4096, "better:7b"), (32768, "a:7b")])
def test_nor_is_what_fits_at_the_windows_of_another_host_of_its_kind(
    project: Project, window: int, first: str
) -> None:
    """At the larger one, a model takes six times as much."""
    project.challengers = ("better:7b",)
    better = Made("better:7b", 1.0, 0.8, gigabytes=17)
    project.run(bench(better), bench(name="gpu2", window=window))
    assert project.slots[0] == first


def test_hosts_with_other_windows_may_be_measured_in_turn(project: Project) -> None:
    project.run(bench())
    other = bench(name="gpu2", window=65536, knows=(65536,))
    project.run(other, now=LATER)
    for host in (bench(), bench(name="gpu2", window=65536, knows=(65536,))):
        project.run(host, now=LATER)
        assert (host.timed, host.asked) == ([], [])


def test_one_whose_window_was_changed_in_the_week_is_timed_anew(project: Project) -> None:
    project.run(bench())
    host = bench(window=32768)
    project.run(host, now=LATER)
    assert (host.timed, host.asked) == ([], []), "it was foreseen for that window, too"
    host = bench(window=65536)
    with pytest.raises(BenchmarkError):
        project.run(host, now=LATER)
    assert host.timed == ["a:7b", "b:7b", "c:7b"]


def test_nor_is_what_does_not_fit_beside_slot_4(project: Project) -> None:
    project.challengers = ("big:30b",)
    project.run(bench(Made("big:30b", 1.0, 1.0, gigabytes=40), gigabytes=60, experimental=15))
    assert "big:30b" not in project.slots


def test_a_model_that_has_two_slots_takes_its_memory_once(project: Project) -> None:
    project.run(bench(slots={1: A, 2: A, 3: C}, gigabytes=12))
    assert project.slots == ["a:7b", "a:7b", "c:7b"]


def test_a_set_for_whose_memory_nobody_knows_is_chosen(project: Project) -> None:
    project.run(bench(gigabytes=None))
    assert project.slots == ["a:7b", "b:7b", "c:7b"]
    assert json.loads(project.text)["timestamp"] == NOW


def test_an_item_that_was_not_answered_is_not_there_and_no_answer_is_graded_twice(tmp_path: Path) -> None:
    graded, them = [], items({"trivial": 3})

    def grade(item: Item, answer: Answer) -> Verdict:
        graded.append(item.id)
        return Verdict(Outcome.PASSED if answer.text == "0" else Outcome.FAILED)

    marks = Marks(grade)
    with Kept(tmp_path, "0a" * 32, SEED) as kept:
        replies = [Reply('{"response": "0", "done": true}', 0, 0, 200, 0)] * 2 + [Reply("", 0, 0, 0, 28)]
        kept.add(answered(it, "v", reply) for it, reply in zip(them, replies, strict=True))
        for _ in range(2):
            assert marks.of(them, kept, "v") == {"trivial": {"trivial/0": True, "trivial/1": True}}
        assert marks.of(them, kept, "other") == {}
    assert graded == ["trivial/0", "trivial/1"]


def test_a_week_is_that_of_iso_8601() -> None:
    days = {(2026, 11, 27): 202648, (2027, 1, 3): 202653, (2027, 1, 4): 202701, (2024, 12, 30): 202501}
    assert {it: seed_of(datetime(*it, 2, tzinfo=UTC)) for it in days} == days


def test_any_part_of_the_items_has_the_families_in_their_shares() -> None:
    them = items({"trivial": 8, "arithmetic": 80, "choice": 40})
    mixed = course.mixed(them)
    assert sorted(mixed) == sorted(them)
    for count in range(1, len(mixed)):
        for family, whole in (("trivial", 8), ("arithmetic", 80), ("choice", 40)):
            found = [it for it in mixed[:count] if it.family == family]
            assert abs(len(found) - whole * count / 128) <= 1.5
            assert found == [it for it in them if it.family == family][: len(found)]

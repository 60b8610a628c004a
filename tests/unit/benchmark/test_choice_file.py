"""The file that is written of a choice, as the deploy reads it."""

import json

import pytest

from ollama_slots import selection
from ollama_slots.benchmark.choice import file, state, told
from ollama_slots.benchmark.choice.decide import Decision, decide
from ollama_slots.benchmark.choice.state import State
from tests.unit.benchmark.measured import WHEN, decided, fit_all, model, run

HAD = {1: "incumbent:7b", 2: "incumbent:7b", 3: "third:7b"}


def decision(turned: bool = False) -> Decision:
    models = [model("incumbent:7b"), model("challenger:7b", 0.95), model("third:7b"), model("part:1b", items=0.3)]
    failed = {"big:70b": "does not fit"}
    return decide(run(*models[:: -1 if turned else 1], failed=failed), HAD, State(), fit_all, WHEN)


def test_the_deploy_reads_it_and_chooses_what_it_says() -> None:
    read = selection.parse(file.text(decision()))
    chosen = selection.choose(read)
    whys = {slot: told.choice(decision(), slot)["why"] for slot in (1, 2, 3)}
    assert {slot: tuple(it) for slot, it in chosen.items()} == {
        1: ("challenger:7b", whys[1]),
        2: ("incumbent:7b", whys[2]),
        3: ("third:7b", whys[3]),
    }
    assert not read.foreign
    assert not read.notices
    assert [name for name, _ in read.results.left_out] == ["part:1b"], (
        "a composite of what was not asked to the end"
    )


def test_without_its_slot_keys_the_deploy_computes_what_a_first_run_chooses() -> None:
    models = [model("coder", 0.9, 0.6), model("talker", 0.6, 0.9), model("even", 0.7, 0.7, speed=60)]
    models.append(model("junk", 0.1, 0.1, speed=400, ttft=1))
    first = decided(*models)
    content = json.loads(file.text(first))
    kept = {key: it for key, it in content.items() if not key.startswith("slot")}
    chosen = selection.choose(selection.parse(json.dumps(kept)))
    assert {slot: it.model for slot, it in chosen.items()} == {slot: first.named(slot) for slot in (1, 2, 3)}
    assert chosen[1].why == told.choice(first, 1)["why"]


def test_the_same_input_gives_the_same_bytes() -> None:
    assert file.text(decision()) == file.text(decision()) == file.text(decision(turned=True))


def test_what_it_holds() -> None:
    content = json.loads(file.text(decision()))
    assert list(content) == [
        "timestamp",
        "slot1_coding",
        "slot2_general",
        "slot3_backup",
        "slot4_experimental",
        "results",
        "benchmark",
    ]
    assert content["timestamp"] == WHEN
    assert content["slot4_experimental"] is None
    result = content["results"]["incumbent:7b"]
    assert result["coding"]["tasks"]["write"] == [131, 164]
    assert result["coding"]["items"] == 344
    assert result["tokens_per_sec"] == 40
    assert result["classification"] == "coding"
    benchmark = content["benchmark"]
    assert benchmark["choice"]["slot1"]["was"] == "incumbent:7b"
    assert benchmark["choice"]["slot2"]["tied"] == ["challenger:7b", "third:7b"]
    assert benchmark["failed"] == {"big:70b": "does not fit"}
    assert benchmark["weights"]["coding"]["fastest"] == 40


def test_evidence_goes_on_from_the_file() -> None:
    made = decision()
    assert state.read(file.text(made)) == made.kept
    assert made.kept.slots.keys() == {"slot2", "slot3"}


def test_a_file_of_another_program_has_no_evidence_and_a_broken_one_is_told() -> None:
    assert state.read('{"slot1_coding": "a"}') == State()
    content = json.loads(file.text(decision()))
    content["benchmark"]["evidence"]["slots"]["slot2"]["incumbent"] = "nobody"
    with pytest.raises(
        ValueError, match=r"^benchmark\.evidence\.slots\.slot2\.incumbent: .*: remove it, to begin anew$"
    ):
        state.read(json.dumps(content))


def test_people_read_which_model_why_and_what_was_close() -> None:
    said = told.lines(decision())
    assert said[0].startswith("slot 1: challenger:7b: better than incumbent:7b beyond doubt (evidence ")
    assert "  not part:1b: answered 103 of 344 coding items" in said
    assert "slot 3: third:7b: stays: no other model that is fit for the slot is left" in said
    assert any(line.startswith("slot 2: incumbent:7b: stays: no model is better beyond doubt (") for line in said)
    assert "  no difference beyond doubt from challenger:7b, third:7b" in said

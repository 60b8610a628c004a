"""A slot is asked what it was not asked yet, whatever happens meanwhile, and is the same slot afterwards."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ollama_slots.benchmark.asking import ask as asking
from ollama_slots.benchmark.asking import hosts
from ollama_slots.benchmark.asking.answered import Answered
from ollama_slots.benchmark.asking.ask import BLOCK, FIRST, Slot, ask, blocks
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.asking.request import Request, Way
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.item import Item, Outcome
from ollama_slots.benchmark.judge import judged
from tests.unit.benchmark.asking.asked import (
    SETTINGS,
    Connected,
    choice,
    item,
    sender,
    slot,
    told,
    without_seconds,
)
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds

SEED = 7
ITEMS = [item(number) for number in range(11)] + [choice(1)]
SMALL = 5
CHAT = "<|user|>{{ .Prompt }}<|assistant|>"


class Model:
    """What the engine's model says, and all that it was asked."""

    def __init__(self, host: DirectoryHost) -> None:
        self.asked: list[dict[str, Any]] = []
        self.dies_at: int | None = None
        self.host = host
        host.engine.says = self.says

    @property
    def prompts(self) -> list[str]:
        return [it["prompt"].strip() for it in self.asked]

    def says(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        if len(self.asked) == self.dies_at:
            os.killpg(self.host.running, signal.SIGKILL)
        number = asked["prompt"].strip().removeprefix("What is ").removesuffix("?")
        first = [{"token": "A", "logprob": -0.5, "top_logprobs": [{"token": "B", "logprob": -1.5}]}]
        said = {"response": number, "done_reason": "stop", "eval_count": 1, "eval_duration": 10**7}
        return said | ({"logprobs": first} if asked.get("logprobs") else {})


def run(host: DirectoryHost, directory: Path, items: list[Item] = ITEMS, of: Slot | None = None) -> list[Answered]:
    of = of or hosts.slot(host.found(SETTINGS), "one")
    with Kept(directory, of.weights, SEED) as kept:
        return ask(of, items, SEED, kept, sender(Connected(host), of), told()[1])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of which a few items make several."""
    monkeypatch.setattr(asking, "BLOCK", SMALL)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("template", "way"), [(CHAT, "messages"), ("{{ .Prompt }}", "raw")])
def test_each_item_is_asked_once_as_its_model_is_asked(
    host: DirectoryHost, tmp_path: Path, template: str, way: str
) -> None:
    of, host.engine.template = slot(host), template
    model, connected = Model(host), Connected(host)
    before = host.engine.runners.ps(), host.picture()
    lines, tell = told()
    with Kept(tmp_path, of.weights, SEED) as kept:
        found = ask(of, ITEMS, SEED, kept, sender(connected, of), tell)
        again = ask(of, ITEMS, SEED, kept, sender(connected, of), tell)
    assert again == found
    assert connected.commands == 4, "what the model is made of, three items, five, and the rest"
    assert model.prompts == [it.prompt for it in ITEMS]
    assert all(way in it for it in model.asked)
    assert {it["model"] for it in model.asked} == {"one:latest"}
    assert {"keep_alive", "shift"} & {key for it in model.asked for key in it} == set()
    assert {key for it in model.asked for key in it["options"]} == {"temperature", "seed", "num_predict"}
    verdicts = [judged(it, answer.answer, lambda *_: "") for it, answer in zip(ITEMS, found, strict=True)]
    assert {it.outcome for it in verdicts} == {Outcome.PASSED}
    assert found[-1].first == {"A": -0.5, "B": -1.5}
    assert (host.engine.runners.ps(), host.picture()) == before
    assert host.engine.runners.loaded == []
    assert [it.partition(", about")[0] for it in lines] == [
        f"slot one: {done} of 12 items" for done in (FIRST, FIRST + SMALL, 12)
    ]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("dies_at", [2, 4, 12])
def test_a_run_that_was_killed_anywhere_goes_on_and_keeps_the_same(
    host: DirectoryHost, tmp_path: Path, dies_at: int
) -> None:
    of, model = slot(host), Model(host)
    run(host, tmp_path / "whole", of=of)
    model.asked.clear()
    model.dies_at = dies_at
    with pytest.raises(BenchmarkError, match="the connection broke, or the command was killed"):
        run(host, tmp_path / "killed", of=of)
    run(host, tmp_path / "killed", of=of)
    assert len(model.asked) == len(ITEMS) + 1, "but for the one that it was killed at, none is asked twice"
    kept = [Kept(tmp_path / it, of.weights, SEED) for it in ("whole", "killed")]
    assert without_seconds(kept[1]) == without_seconds(kept[0])
    assert len(without_seconds(kept[0])) == len(ITEMS)


def test_items_that_are_new_are_asked_and_no_others(host: DirectoryHost, tmp_path: Path) -> None:
    of, model = slot(host), Model(host)
    run(host, tmp_path, ITEMS[:5], of)
    model.asked.clear()
    found = run(host, tmp_path, [*ITEMS[:7], item(1, "What is another 1?")], of)
    assert model.prompts == ["What is 5?", "What is 6?", "What is another 1?"]
    assert [it.item for it in found] == [*(f"test/{it}" for it in range(7)), "test/1"]


def test_another_variant_of_the_same_weights_is_asked_again(host: DirectoryHost, tmp_path: Path) -> None:
    of, model = slot(host), Model(host)
    run(host, tmp_path, ITEMS[:5], of)
    holds(host, "one", "a:1b", 4096, more='SYSTEM """Be brief."""\n')
    other = hosts.slot(host.found(SETTINGS), "one")
    assert other.weights == of.weights
    model.asked.clear()
    run(host, tmp_path, ITEMS[:5], other)
    assert len(model.asked) == 5


def test_a_model_that_does_not_answer_at_all_is_found_so_after_a_few_items(
    host: DirectoryHost, tmp_path: Path
) -> None:
    of = slot(host)
    host.engine.silent.add("one:latest")
    with pytest.raises(BenchmarkError, match=r"^slot one: answered none of 3 items: expected an answer"):
        run(host, tmp_path, of=of)
    assert host.asked() == []
    assert Kept(tmp_path, of.weights, SEED).path.read_bytes() == b""


def test_an_item_that_fails_is_kept_so_and_the_others_are_asked(host: DirectoryHost, tmp_path: Path) -> None:
    of, model = slot(host), Model(host)
    says = model.says
    host.engine.says = lambda asked: says(asked) | ({"error": "bad"} if "What is 2?" in asked["prompt"] else {})
    found = run(host, tmp_path, of=of)
    assert [it.item for it in found if it.error] == ["test/2"]
    verdict = judged(ITEMS[2], found[2].answer, lambda *_: "")
    assert verdict.outcome is Outcome.NOT_ANSWERED
    host.engine.says = says
    assert run(host, tmp_path, of=of) == found


def test_an_answer_that_the_engine_cut_is_kept_as_such(host: DirectoryHost, tmp_path: Path) -> None:
    of = slot(host)
    host.engine.says = lambda _: {"response": "word " * 40, "done": False}
    [found] = run(host, tmp_path, ITEMS[:1], of)
    assert (found.cut, found.error, found.text) == ("engine", "", "word " * 40)
    assert judged(ITEMS[0], found.answer, lambda *_: "").outcome is Outcome.RAN_OUT


def test_a_slot_that_is_not_resident_is_said_to_be_so_and_nothing_is_loaded(
    host: DirectoryHost, tmp_path: Path
) -> None:
    of, model = slot(host), Model(host)
    host.engine.runners.evict(of.weights)
    with pytest.raises(BenchmarkError, match="not in memory"):
        run(host, tmp_path, of=of)
    assert model.asked == []
    assert host.engine.runners.loaded == []


def test_a_slot_that_goes_meanwhile_keeps_what_it_answered_before(host: DirectoryHost, tmp_path: Path) -> None:
    of, model = slot(host), Model(host)
    says = model.says

    def goes(asked: dict[str, Any]) -> dict[str, Any]:
        if len(model.asked) == 9:
            host.engine.runners.evict(of.weights)
        return says(asked)

    host.engine.says = goes
    with pytest.raises(BenchmarkError, match=r"^slot one: asked 9 of 12 items: not in memory$"):
        run(host, tmp_path, of=of)
    assert len(without_seconds(Kept(tmp_path, of.weights, SEED))) == 9
    assert host.engine.runners.loaded == []


def test_nothing_is_sent_that_could_change_a_slot(
    host: DirectoryHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, model = slot(host), Model(host)
    harmful = Request(Way.COMPLETION, {"model": "one:latest", "prompt": "x", "keep_alive": 0})
    monkeypatch.setattr(asking, "request", lambda *_: harmful)
    with pytest.raises(BenchmarkError, match=r"^slot one: expected no keep_alive in a request to a slot"):
        run(host, tmp_path, of=of)
    assert model.asked == []


def test_what_holds_no_text_model_is_refused(host: DirectoryHost) -> None:
    with pytest.raises(BenchmarkError, match="slot one: expected one that holds a model, found none"):
        hosts.slot(host.found(SETTINGS), "one")
    host.engine.publish("e:1b", embeds=True)
    holds(host, "two", "e:1b")
    with pytest.raises(BenchmarkError, match="slot two: expected a model that makes text"):
        hosts.slot(host.found(SETTINGS), "two")


def test_what_a_command_says_that_could_not_run_is_told() -> None:
    assert hosts.read(["Welcome"], ["", "no such file", ""]) == ([], "no such file")
    assert hosts.read([], [])[0] == []
    assert hosts.read([], [])[1] != ""


@pytest.mark.parametrize("count", [0, 1, FIRST, FIRST + 1, FIRST + BLOCK, FIRST + BLOCK + 1, 700])
def test_blocks_have_all_items_in_order(count: int) -> None:
    made = [*blocks(range(count))]
    assert [it for block in made for it in block] == [*range(count)]
    assert all(1 <= len(it) <= BLOCK for it in made)
    assert all(len(it) <= FIRST for it in made[:1])

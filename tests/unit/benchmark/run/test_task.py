"""tasks/benchmark.py as pyinfra runs it, on hosts of plain values: what is asked of a model is made up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from pyinfra.api import Config, Host, Inventory, State
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.operations import run_ops

from ollama_slots.benchmark import __main__ as command
from ollama_slots.benchmark import humaneval
from ollama_slots.benchmark.asking import candidates
from ollama_slots.benchmark.asking import hosts as asking
from ollama_slots.benchmark.asking.ask import Send, Slot
from ollama_slots.benchmark.asking.request import Request, Way
from ollama_slots.benchmark.asking.timing import Speed
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.choice.measured import Depth
from ollama_slots.benchmark.items import draw
from ollama_slots.benchmark.items.item import Answer, Item, Outcome, Verdict
from ollama_slots.benchmark.judge import judged
from ollama_slots.benchmark.run import hosts, session, task, week
from ollama_slots.benchmark.sandbox import build
from ollama_slots.core.details import Shown
from ollama_slots.core.placing import Card
from ollama_slots.core.published import Missing, Published
from ollama_slots.core.settings import Settings
from ollama_slots.host.questions import Reply
from ollama_slots.registry.client import Client
from tests.unit.benchmark.measured import spread
from tests.unit.complaint import complaint
from tests.unit.declared import NAMES, declared
from tests.unit.fake import Asked, answers, argument, called, listed
from tests.unit.world import GB, World, deployed

SIZES = {"predict": 40, "arithmetic": 40}
MODELS = ("a:7b", "b:7b", "c:7b", "d:7b")
DATA: dict[str, Any] = {f"slot{n}_name": name for n, name in enumerate(NAMES, 1)}
DATA |= {f"slot{n}_model": model for n, model in enumerate(MODELS, 1)}
DATA |= {f"slot{n}_num_ctx": 4096 for n in (1, 2, 3, 4)} | {"max_loaded_models": 9}
SETTINGS = declared(*MODELS, max_loaded_models=9)
ROOT = Path(__file__).parents[4]


class FakeGrader:
    """A grader without a sandbox: nothing that is asked here is a program."""

    def __init__(self, _: object) -> None:
        pass

    def __enter__(self) -> FakeGrader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    @staticmethod
    def grade(item: Item, answer: Answer) -> Verdict:
        return judged(item, answer, lambda *_: "a program")


DEEP = Depth(tokens=2048, tokens_per_sec=spread(30.0), ttft_ms=spread(900.0))
# What a model was measured to be.
FAST = Speed(tokens_per_sec=spread(40.0), ttft_ms=spread(300.0), at_depth=(DEEP,), gpu_bytes=GB)


class FakeModels:
    """What all models answer: by a hash of model and item, right eight times of ten."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False
        self.candidates: list[tuple[str, int]] = []
        self.worlds: dict[str, World] = {}
        self.level: dict[str, float] = {}
        tasks = humaneval.load()
        now = session.datetime.now(session.UTC)
        self.items = {it.prompt: it for it in draw.items(session.week.seed_of(now), 4096, tasks, SIZES)}

    def sender(self, _: Any, __: Settings, observed: Any, slot: Slot) -> Send:
        def send(requests: Sequence[Request]) -> tuple[list[Reply], str]:
            return [self._reply(observed.states[slot.name].model, it) for it in requests], ""

        return send

    @contextmanager
    def candidate(self, host: Host, __: Settings, model: str, number: int) -> Iterator[tuple[Slot, Send]]:
        """A candidate, which has to be on the host."""
        [world] = [it for name, it in self.worlds.items() if name == host.name]
        self.candidates.append((model, number))
        yield (
            Slot("candidate", sha256(model.encode()).hexdigest(), world.tags[model].weights, model),
            lambda requests: ([self._reply(model, it) for it in requests], ""),
        )

    def _reply(self, model: str, it: Request) -> Reply:
        if it.way is Way.SHOW:
            return Reply('{"template": "{{ .System }}"}', 0.1, 0.1, 200, 0)
        self.asked.append(model)
        item = self.items[it.body["messages"][0]["content"]]
        lucky = int(sha256(f"{model} {item.id}".encode()).hexdigest()[:8], 16) / 16**8
        text = item.reference.text if lucky < self.level.get(model, 0.8) else "no idea"
        said = json.dumps({"message": {"content": text}, "done": True})
        return Reply("", 0, 0, 0, 28) if self.silent else Reply(said, 0.1, 0.2, 200, 0)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> FakeModels:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    made = FakeModels()
    monkeypatch.setattr(asking, "sender", made.sender)
    monkeypatch.setattr(session, "Grader", FakeGrader)
    monkeypatch.setattr(build, "site", lambda: "")

    monkeypatch.setattr(candidates, "candidate", made.candidate)
    monkeypatch.setattr(hosts, "measure", lambda *_: FAST)
    return made


@pytest.fixture
def world() -> World:
    return deployed(SETTINGS, World(gpu=(81920, 81920)))


def _more(world: World) -> dict[str, Any]:
    """What a host says to scripts that a deploy gives other arguments."""

    def pull() -> list[str]:
        world.pull(argument(world.runs, "model"))
        return []

    return _details(world) | {"ollama-slots/pull": Asked(pull)}


def _details(world: World) -> dict[str, Any]:
    return {"ollama-slots/details": Asked(lambda: world.show(listed(world.runs)))}


class Ran:
    """A run of the task on hosts."""

    def __init__(
        self, models: FakeModels, *worlds: World, group: Sequence[int] = (), limit: Sequence[int] = (), **data: Any
    ) -> None:
        names = [f"@fake/gpu{number}" for number in range(1, len(worlds) + 1)]
        of = DATA | {"fake_delay": 0, "fake_delay_jitter": 0} | data
        them = [(name, of | {"fake_responses": {}}) for name in names]
        groups: dict[str, Any] = {"benchmark": ([names[it] for it in group], {})} if group else {}
        self.state = State(Inventory((them, {}), **groups), Config())  # type: ignore[no-untyped-call]
        if limit:
            self.state.limit_hosts = [self.state.inventory.get_host(names[it]) for it in limit]
        connect_all(self.state)
        models.worlds = dict(zip(names, worlds, strict=True))
        self.commands = {}
        for name, world in zip(names, worlds, strict=True):
            connector = vars(self.state.inventory.get_host(name).connector)
            made = answers(world, SETTINGS) | _more(world)
            made.commands = connector["executed_commands"]
            connector["data"]["fake_responses"] = made
            self.commands[name.removeprefix("@fake/")] = made.commands
        self.said = complaint(add_deploy, self.state, task.benchmark, SIZES)
        self.said = self.said or complaint(run_ops, self.state)
        self.failed = {it.name.removeprefix("@fake/") for it in self.state.failed_hosts}


FILE = "model_selection.json"


def test_the_slots_of_a_host_are_measured_and_the_file_is_written(
    models: FakeModels, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    before = world.probe()
    ran = Ran(models, world)
    assert (ran.said, ran.failed) == ("", set())
    assert {it: models.asked.count(it) for it in MODELS} == {"a:7b": 80, "b:7b": 80, "c:7b": 80, "d:7b": 0}
    content = json.loads(Path(FILE).read_text())
    assert [content[it] for it in ("slot1_coding", "slot2_general", "slot3_backup")] == [*MODELS[:3]]
    assert content["results"]["a:7b"]["speed"]["gpu_bytes"] == dict.fromkeys(("slot1", "slot2", "slot3"), GB)
    assert content["results"]["a:7b"]["speed"]["at_depth"] == [DEEP.model_dump()]
    assert [it.read_text() for it in Path("benchmarks").glob("*/model_selection.json")] == [Path(FILE).read_text()]
    assert world.probe() == before
    assert any("a:7b: slot one: 3 of 80 items, about" in it for it in caplog.messages)
    assert any(it.startswith("    slot 1: a:7b: stays: ") for it in caplog.messages)


def test_a_slot_is_measured_whose_base_is_gone(models: FakeModels, world: World) -> None:
    world.tags.pop("a:7b")
    ran = Ran(models, world)
    assert (ran.said, ran.failed) == ("", set())
    assert models.asked.count("a:7b") == 80


def test_a_second_run_asks_nothing_and_leaves_the_file(
    models: FakeModels, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    Ran(models, world)
    text, models.asked = Path(FILE).read_bytes(), []
    ran = Ran(models, world)
    assert (ran.said, ran.failed, models.asked) == ("", set(), [])
    assert Path(FILE).read_bytes() == text
    assert "    model_selection.json: no change" in caplog.messages


def test_of_a_fleet_one_host_is_asked_and_all_are_looked_at(
    models: FakeModels, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    ran = Ran(models, world, deployed(SETTINGS, World(gpu=(81920, 81920))))
    assert (ran.said, ran.failed) == ("", set())
    assert len(models.asked) == 3 * 80
    assert all(ran.commands.values())
    assert [it.partition(":")[0].strip() for it in caplog.messages if it.startswith("    slot 1")] == ["slot 1"]


def test_what_slot_4_takes_is_not_free_for_the_others(models: FakeModels, world: World) -> None:
    Ran(models, world)
    [room] = week.read(Path(_week())).rooms.values()  # type: ignore[union-attr]
    assert [*room.others] == [world.tags["d:7b"].weights]
    assert room.others[world.tags["d:7b"].weights].held > GB
    assert room.cards == (Card(room.cards[0].free, "CUDA"),)  # type: ignore[index]
    assert room.cards[0].free > 70 * GB


CHALLENGERS = ["new:3b", "c:7b", "twin:7b", "d:7b"]


def test_challengers_are_pulled_asked_as_candidates_and_named_once(
    models: FakeModels, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.publish("twin:7b", "a:7b")  # is pulled before it is known that a slot has its weights
    models.level["new:3b"] = 1.0
    ran = Ran(models, world, benchmark_models=CHALLENGERS, slot3_num_ctx=2048)
    assert (ran.said, ran.failed) == ("", set())
    assert models.candidates == [("new:3b", 3)], "for the slot with the least window, and of no slot's weights"
    assert any("pull new:3b, for slot ollama-slots-candidate" in it for it in caplog.messages)
    assert "new:3b" in world.tags
    content = json.loads(Path(FILE).read_text())
    assert content["results"]["a:7b"]["also_named"] == ["twin:7b"]
    assert content["slot3_backup"] == "new:3b"
    assert {it: models.asked.count(it) for it in CHALLENGERS} == {
        "new:3b": 80,
        "c:7b": 80,
        "twin:7b": 0,
        "d:7b": 80,
    }
    assert any("candidate new:3b: 3 of 80 items" in it for it in caplog.messages)
    assert any("d:7b: slot four: 3 of 80 items" in it for it in caplog.messages), (
        "slot 4's model may be asked there"
    )


def test_a_challenger_that_nobody_has_is_told_and_the_others_are_measured(
    models: FakeModels, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Client, "ask", lambda *_, **__: Missing())
    ran = Ran(models, world, benchmark_models=["nobody:1b"])
    assert (ran.said, ran.failed) == ("", set())
    why = "nobody:1b: expected a GGUF in its registry, found no such model: correct its name"
    assert f"    nobody:1b is not compared: {why}" in caplog.messages
    assert not any("pull" in called(it) for it in ran.commands["gpu1"])


def test_a_challenger_that_a_mirror_lacks_is_to_be_filled_in(
    models: FakeModels, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Client, "ask", lambda *_, **__: Missing())
    Ran(models, world, benchmark_models=["nobody:1b"], model_registry="http://mirror:5080")
    why = "no such model: fill it with ollama-slots-mirror, or correct its name"
    said = f"nobody:1b: expected a GGUF in the mirror http://mirror:5080, found {why}"
    assert f"    nobody:1b is not compared: {said}" in caplog.messages


def test_what_is_there_is_not_pulled_again(models: FakeModels, world: World) -> None:
    world.pull("new:3b")
    ran = Ran(models, world, benchmark_models=["new:3b"])
    assert (ran.failed, models.asked.count("new:3b")) == (set(), 80)
    assert not any("pull" in called(it) for it in ran.commands["gpu1"])


def test_a_pull_for_which_the_disk_has_no_room_is_not_begun(
    models: FakeModels, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.disk = 3 * GB
    shown = Shown(weights="0" * 64)
    monkeypatch.setattr(
        Client, "ask", lambda *_, **__: Published(shown=shown, digest="0", layers={"0" * 64: 2 * GB})
    )
    ran = Ran(models, world, benchmark_models=["new:3b"])
    failed = json.loads(Path(FILE).read_text())["benchmark"]["failed"]
    assert failed["new:3b"].startswith("new:3b: disk: expected 2.0 GB for new:3b and 2.1 GB of headroom")
    assert not any("pull" in called(it) for it in ran.commands["gpu1"])


def test_a_pull_that_fails_is_told(models: FakeModels, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = {"ollama-slots/pull": {"success": False, "stderr": ["pull of new:3b failed: no route"]}}
    monkeypatch.setattr(sys.modules[__name__], "_more", lambda it: _details(it) | failing)
    ran = Ran(models, world, benchmark_models=["new:3b"])
    assert (ran.said, ran.failed) == ("", set())
    failed = json.loads(Path(FILE).read_text())["benchmark"]["failed"]
    assert failed == {"new:3b": "new:3b: could not be pulled: pull of new:3b failed: no route"}


def test_where_there_is_a_group_for_it_other_hosts_are_not_touched(models: FakeModels, world: World) -> None:
    ran = Ran(models, world, deployed(SETTINGS, World(gpu=(81920, 81920))), group=[1])
    assert (ran.said, ran.failed) == ("", set())
    assert (ran.commands["gpu1"], len(models.asked)) == ([], 3 * 80)
    assert ran.commands["gpu2"]


def test_where_no_host_of_the_group_is_in_the_limit_it_is_no_success(models: FakeModels, world: World) -> None:
    ran = Ran(models, world, deployed(SETTINGS, World(gpu=(81920, 81920))), group=[1], limit=[0])
    assert ran.said == "expected a host of the group benchmark, found none in --limit: name one of it"
    assert models.asked == []


def test_where_nothing_answers_in_time_the_host_fails_and_there_is_no_file(
    models: FakeModels, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    models.silent = True
    ran = Ran(models, world)
    assert ran.failed == {"gpu1"}
    assert not Path(FILE).exists()
    assert any("answered none of 3 items" in it for it in caplog.messages)


def test_a_host_that_cannot_be_read_fails_and_the_others_do_for_it(models: FakeModels, world: World) -> None:
    ran = Ran(models, world, World(lacks=["flock"]))
    assert (ran.failed, len(models.asked)) == ({"gpu2"}, 3 * 80)
    assert json.loads(Path(FILE).read_text())["slot1_coding"] == "a:7b"


def test_a_choice_that_cannot_be_made_fails_a_host_with_one_line(
    models: FakeModels, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    models.level = dict.fromkeys(MODELS, 0.0)
    ran = Ran(models, world)
    assert ran.failed == {"gpu1"}
    assert any(
        "model_selection.json is left as it is: expected a model that answers" in it for it in caplog.messages
    )
    assert not Path(FILE).exists()


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"benchmark_profile": "tiny"}, "benchmark_profile"),
        ({"benchmark_models": ["a b"]}, "'a b' is not a model name"),
        ({f"slot{it}_model": "none" for it in (1, 2, 3)}, "expected models in slots 1 to 3, or benchmark_models"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_before_any_host_is_asked(
    models: FakeModels, world: World, data: dict[str, Any], wrong: str
) -> None:
    ran = Ran(models, world, **data)
    assert wrong in ran.said
    assert "\n" not in ran.said
    assert (ran.commands, models.asked) == ({"gpu1": []}, [])


def test_so_is_a_file_that_is_damaged(models: FakeModels, world: World) -> None:
    slots = {"slot1_coding": "a", "slot2_general": "b", "slot3_backup": "c"}
    evidence = json.dumps(slots | {"benchmark": {"evidence": 7}})
    for path, text in ((FILE, "["), (FILE, evidence), (_week(), "{}")):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)
        ran = Ran(models, world)
        assert ran.said.isprintable()
        assert ran.said
        assert (ran.commands, models.asked) == ({"gpu1": []}, [])
        Path(path).unlink()


def _week() -> str:
    return f"benchmarks/week-{session.week.seed_of(session.datetime.now(session.UTC))}.json"


def test_what_is_kept_is_graded_anew_without_a_host(
    models: FakeModels, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Ran(models, world)
    text = Path(FILE).read_text()
    monkeypatch.setattr(sys, "argv", ["benchmark", "grade", "benchmarks"])
    assert command.main() == 0
    assert capsys.readouterr().out.endswith("model_selection.json: no change\n")
    Path(FILE).unlink()
    assert command.main() == 0
    assert Path(FILE).read_text() == text
    monkeypatch.setattr(FakeGrader, "grade", lambda *_: Verdict(Outcome.FAILED))
    assert command.main() == 1
    assert "model_selection.json is left as it is: expected a model that answers" in capsys.readouterr().err
    assert Path(FILE).read_text() == text
    for changed, told in ((b'{"slot1_coding": "mine:7b"}', "somebody has changed it since"), (b"\xff", "UTF-8")):
        Path(FILE).write_bytes(changed)
        assert command.main() == 1
        assert told in capsys.readouterr().err
        assert Path(FILE).read_bytes() == changed
    monkeypatch.setattr(sys, "argv", ["benchmark", "grade", "elsewhere"])
    assert command.main() == 1
    assert capsys.readouterr().err.startswith("elsewhere: expected what tasks/benchmark.py keeps, found none")
    assert len(models.asked) == 3 * 80


def test_two_runs_at_once_do_not_meet(models: FakeModels, world: World, caplog: pytest.LogCaptureFixture) -> None:
    with session.alone(Path("benchmarks")):
        ran = Ran(models, world)
    assert (ran.failed, models.asked) == ({"gpu1"}, [])
    assert any("expected no other run, found one" in it for it in caplog.messages)


def test_without_the_extra_it_ends_in_one_line(
    models: FakeModels, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def site() -> str:
        raise BenchmarkError("expected wasmtime, found none: pip install 'ollama-slots[benchmark]'")

    monkeypatch.setattr(build, "site", site)
    ran = Ran(models, world)
    assert ran.said == "expected wasmtime, found none: pip install 'ollama-slots[benchmark]'"
    assert (ran.commands, models.asked) == ({"gpu1": []}, [])


@pytest.mark.parametrize("module", ["ollama_slots.deploys", "ollama_slots.benchmark.run.task"])
def test_neither_a_deploy_nor_the_task_imports_what_the_extra_has(module: str) -> None:
    asked = f"import sys, {module}; print([it for it in ('wasmtime', 'componentize_py') if it in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    if module == "ollama_slots.deploys":
        asked = (
            f"import sys, {module}; print([it for it in sys.modules if it.startswith('ollama_slots.benchmark')])"
        )
        done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, check=True, capture_output=True, text=True)
        assert done.stdout.strip() == "[]"

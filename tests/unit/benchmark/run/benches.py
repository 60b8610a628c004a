"""Hosts on which made-up models are measured: all but the host is the product's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from ollama_slots.benchmark.asking.ask import Slot, ask
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.asking.request import Request, Way
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.items.checks import Exactly
from ollama_slots.benchmark.items.item import Answer, Item, Verdict
from ollama_slots.benchmark.judge import judged
from ollama_slots.benchmark.run import course, week
from ollama_slots.benchmark.run.choose import choose, read
from ollama_slots.benchmark.run.marks import Marks
from ollama_slots.benchmark.run.measure import Kit, agree, introduce, measure
from ollama_slots.benchmark.run.week import Room, Timed, Week
from ollama_slots.core.placing import Card, Rule, Taken
from ollama_slots.host.questions import Reply
from tests.unit.benchmark.measured import spread

GB = 10**9
SEED, NOW, LATER = 202648, "2026-11-26T02:00:00Z", "2026-11-27T02:00:00Z"
WINDOWS = (4096, 32768)
SIZES = {"trivial": 60, "arithmetic": 60}


def items(sizes: dict[str, int] = SIZES) -> list[Item]:
    """Items whose answer is the number in the question."""
    return [
        Item(f"{family}/{it}", f"{family} {it}?", Exactly(f"{it}"), 9, Answer(f"{it}"))
        for family, count in sizes.items()
        for it in range(count)
    ]


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@dataclass
class Made:
    """A made-up model: it answers the items right whose number, by a hash, is below its level.

    + of: what its weights, and its answers, are made of, else its name
    """

    name: str
    coding: float = 0.8
    general: float = 0.8
    of: str = ""
    speed: float = 40.0
    gigabytes: int = 5

    @property
    def weights(self) -> str:
        return sha(self.of or self.name)

    def says(self, prompt: str) -> str:
        family, number = prompt.strip().rstrip("?").split()
        level = self.coding if family == "trivial" else self.general
        lucky = int(sha(f"{self.of or self.name} {prompt.strip()}")[:8], 16) / 16**8
        return number if lucky < level else "no idea"


class Killed(BaseException):
    """The run ended there."""


@dataclass
class FakeSubject:
    """A model on a FakeBench."""

    bench: FakeBench
    made: Made
    variant: str

    @property
    def model(self) -> str:
        return self.made.name

    @property
    def weights(self) -> str:
        return self.made.weights

    @property
    def digest(self) -> str:
        return sha(self.variant)

    def ask(self, items: Sequence[Item], kept: Kept, goes_on: Callable[[Sequence[Item]], bool]) -> None:
        ask(Slot("one", self.digest, self.weights), items, SEED, kept, self._send, self.bench.tell, goes_on)

    def speed(self) -> Timed:
        self.bench.timed.append(self.model)
        if self.bench.noisy:
            raise BenchmarkError(f"{self.bench.name} is not quiet")
        takes = {slot: {it: self._taken(it) for it in self.bench.knows} for slot in (1, 2, 3)}
        return Timed(tokens_per_sec=spread(self.made.speed), ttft_ms=spread(300.0), takes=takes)

    def _taken(self, window: int) -> Taken:
        size = self.made.gigabytes * GB * (6 if window > 4096 else 1)
        return Taken(size, size)

    def _send(self, requests: Sequence[Request]) -> tuple[list[Reply], str]:
        replies: list[Reply] = []
        for it in requests:
            if it.way is Way.SHOW:
                return [Reply('{"template": "x"}', 0.1, 0.1, 200, 0)], ""
            if self.bench.breaks_at == len(self.bench.asked):
                return replies, "the connection broke"
            if self.bench.dies_at == len(self.bench.asked):
                raise Killed
            prompt = it.body["messages"][0]["content"]
            self.bench.asked.append((self.model, prompt))
            silent = self.bench.of(self.model) > self.bench.silent_after.get(self.model, 10**6)
            silent = silent or self.model in self.bench.silent or prompt in self.bench.mute
            said = json.dumps({"message": {"content": self.made.says(prompt)}, "done": True})
            replies.append(Reply("" if silent else said, 0.1, 0.2, 0 if silent else 200, 28 if silent else 0))
        return replies, ""


@dataclass
class FakeBench:
    """A host.

    + holds: the models of its slots
    + others: that it can be asked as candidates
    + gigabytes, experimental: of GPU memory; and of those what slot 4 has
    + shares: whose weights slot 4 has
    + silent, silent_after: what does not answer, or not after so many items
    + dies_at, breaks_at: after so many items the run is killed, or the connection breaks
    """

    name: str
    slots: dict[int, Made]
    others: list[Made] = field(default_factory=list)
    kind: str = "a GPU"
    window: int = 4096
    knows: tuple[int, ...] = WINDOWS  # the windows that it is told of
    mute: set[str] = field(default_factory=set)  # prompts that nobody answers
    gigabytes: int | None = 100
    experimental: int = 0
    shares: str = "experimental"
    silent: set[str] = field(default_factory=set)
    silent_after: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    noisy: bool = False
    dies_at: int | None = None
    breaks_at: int | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    system: str = ""

    @property
    def room(self) -> Room:
        cards = None if self.gigabytes is None else (Card(self.gigabytes * GB),)
        others = {sha(self.shares): Taken(self.experimental * GB, self.experimental * GB)}
        windows = dict.fromkeys((1, 2, 3), self.window)
        return Room(
            kind=self.kind,
            cards=cards,
            rule=Rule(),
            others=others if self.experimental else {},
            windows=windows,
        )

    @property
    def holds(self) -> dict[int, str]:
        return {slot: it.name for slot, it in self.slots.items()}

    def weights(self, model: str) -> str | None:
        return next((it.weights for it in self.slots.values() if it.name == model), None)

    @contextmanager
    def subject(self, model: str) -> Iterator[FakeSubject]:
        found = next((it for it in (*self.slots.values(), *self.others) if it.name == model), None)
        if found is None or model in self.gone:
            raise BenchmarkError(f"{model} does not fit on {self.name}")
        self.opened.append(model)
        served = "slot" if found in self.slots.values() else "candidate"
        yield FakeSubject(self, found, f"{served} {model} {self.system}")

    def tell(self, line: str) -> None:
        self.told.append(line)

    def of(self, model: str) -> int:
        """How many items a model was asked here."""
        return len([it for it, _ in self.asked if it == model])


def graded(item: Item, answer: Answer) -> Verdict:
    return judged(item, answer, lambda *_: "")


@dataclass
class Project:
    """A project's directory, in which runs are made."""

    path: Path
    challengers: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))

    @property
    def target(self) -> Path:
        return self.path / "model_selection.json"

    @property
    def directory(self) -> Path:
        return self.path / "benchmarks"

    @property
    def text(self) -> str:
        return read(self.target)

    @property
    def slots(self) -> list[str]:
        content = json.loads(self.text)
        return [content[it] for it in ("slot1_coding", "slot2_general", "slot3_backup")]

    @property
    def week(self) -> Week:
        found = week.read(week.path(self.directory, SEED))
        assert found
        return found

    def run(self, *benches: FakeBench, now: str = NOW) -> list[str]:
        """A run on hosts, one after the other; what it tells. Raises BenchmarkError where nothing is chosen."""
        self.directory.mkdir(exist_ok=True)
        known = week.read(week.path(self.directory, SEED)) or Week(seed=SEED, window=1, sizes={})
        of = known.begun(4096, self.sizes, self.text)
        for it in benches:
            introduce(it, of, self.challengers)
        kit = Kit(self.directory, course.mixed(items(self.sizes)), "1", Marks(graded), agree(benches, of))
        for it in benches:
            try:
                measure(it, of, self.challengers, kit)
            except BenchmarkError as error:
                it.told.append(f"failed: {error}")
        return choose(of, kit, self.target, now)

"""What one run of the benchmark keeps of its hosts: another run in the same process knows nothing of it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from weakref import WeakKeyDictionary

from pyinfra.api import Host, State

from ollama_slots.benchmark import humaneval
from ollama_slots.benchmark.asking.hosts import GROUP
from ollama_slots.benchmark.asking.timing import Procedure
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.choice import state as evidence
from ollama_slots.benchmark.grader import Grader
from ollama_slots.benchmark.items import draw
from ollama_slots.benchmark.run import choose, course, week
from ollama_slots.benchmark.run.bench import Bench
from ollama_slots.benchmark.run.marks import Marks
from ollama_slots.benchmark.run.measure import Found, Kit, agree, introduce
from ollama_slots.benchmark.run.week import Before, Week
from ollama_slots.benchmark.sandbox import build
from ollama_slots.core.selection import RULES
from ollama_slots.core.settings import EMPTY, Settings
from ollama_slots.selection import DEFAULT

DIRECTORY = "benchmarks"  # beside inventory.py
PROFILES: Mapping[str, Mapping[str, int]] = {"quick": draw.QUICK, "full": draw.FULL}


class Session:
    """A run, from what is declared to what is chosen.

    + settings: of the hosts that take part, by name
    + procedure: by which speed is measured
    + benches: those of them that were looked at
    + chosen: whether it has chosen, or tried to
    """

    def __init__(self, state: State, sizes: Mapping[str, int] | None, procedure: Procedure) -> None:
        """Check what can be checked before any host is asked.

        + sizes: how many items of each family are asked; None: those of benchmark_profile

        Raises BenchmarkError or ValueError with one line where the extra is missing, or a file is damaged.
        """
        build.site()
        self.settings: dict[str, Settings] = {}
        self.benches: dict[str, Bench] = {}
        self.chosen = False
        self.procedure = procedure
        self._names = [it.name for it in state.inventory]
        self._sizes = sizes
        self._now = datetime.now(UTC)
        self.seed = week.seed_of(self._now)
        self._target, self._directory = Path(DEFAULT), Path(DIRECTORY)
        text = choose.read(self._target)
        evidence.read(text or "{}")
        self._incumbents = [*Before.of(text).incumbents.values()]
        self._week = week.read(week.path(self._directory, self.seed)) or Week(seed=self.seed, window=1, sizes={})
        self._open = ExitStack()
        self._kit: Kit | None = None

    @staticmethod
    def takes_part(host: Host) -> bool:
        """Return whether a host is asked: those of the group ``benchmark``, where there is one."""
        return GROUP not in host.inventory.groups or GROUP in host.groups

    def declare(self, name: str, settings: Settings) -> None:
        """Take what is declared for a host. Raises ValueError with one line where it cannot be measured so."""
        mine = [it for it in settings.slots if it.number in RULES]
        if all(it.model == EMPTY for it in mine) and not settings.benchmark_models:
            raise ValueError(f"{name}: expected models in slots 1 to 3, or benchmark_models, found none")
        other = next(
            (it for it in self.settings.values() if it.benchmark_profile != settings.benchmark_profile), None
        )
        if other:
            found = f"{other.benchmark_profile} and {settings.benchmark_profile}"
            raise ValueError(
                f"{name}: benchmark_profile: expected one for all hosts, found {found}: set it for all"
            )
        self.settings[name] = settings

    def models(self, settings: Settings) -> list[str]:
        """Return the models that may be asked on a host beside those of its slots."""
        return [*self._incumbents, *settings.benchmark_models]

    @property
    def windows(self) -> dict[int, set[int]]:
        """The windows that the hosts of the run give slots 1 to 3, by slot."""
        slots = [it for settings in self.settings.values() for it in settings.slots if it.number in RULES]
        return {number: {it.num_ctx for it in slots if it.number == number} for number in RULES}

    def begun(self) -> tuple[Week, Kit]:
        """Return what is measured, and with what; begun with the first host that is measured.

        Raises BenchmarkError where another run is under way here, or nothing can be graded.
        """
        if self._kit is None:
            with ExitStack() as opened:
                opened.enter_context(alone(self._directory))
                self._week, found = self._begun()
                self._kit = kit(self._directory, self._week, opened, found)
                self._open = opened.pop_all()
        return self._week, self._kit

    def _begun(self) -> tuple[Week, Found]:
        profile = next(iter(self.settings.values())).benchmark_profile
        sizes, window = self._sizes or PROFILES[profile], min(chain(*self.windows.values()))
        kept = week.read(week.path(self._directory, self.seed)) or self._week
        of = kept.begun(window, sizes, choose.read(self._target))
        for name in self._names:
            if name in self.benches:
                introduce(self.benches[name], of, self.settings[name].benchmark_models)
        return of, agree([*self.benches.values()], of)

    def choose(self) -> list[str]:
        """Choose, and return what to tell. Raises BenchmarkError where nothing can be chosen."""
        of, kit = self.begun()
        with self._open:
            return choose.choose(of, kit, self._target, f"{self._now:{choose.WHEN}}")


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Have no other run beside this one. Raises BenchmarkError where there is one."""
    try:
        directory.mkdir(exist_ok=True)
        opened = (directory / ".lock").open("w")
    except OSError as error:
        raise BenchmarkError(
            f"{directory}: expected to keep answers there, found {error.strerror}: make it writable"
        ) from None
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wrong = f"{directory}: expected no other run, found one; try again when it is done"
            raise BenchmarkError(wrong) from None
        yield


def kit(directory: Path, of: Week, stack: ExitStack, found: Found) -> Kit:
    """Return what the items of a week are asked and graded with.

    + stack: what has the grader's process end
    + found: what hosts have by each name

    Raises BenchmarkError where nothing can be graded.
    """
    tasks = humaneval.load()
    items = course.mixed(draw.items(of.seed, of.window, tasks, of.sizes))
    grader = stack.enter_context(Grader(tasks))
    return Kit(directory, items, course.basis(tasks), Marks(grader.grade), found)


_sessions: WeakKeyDictionary[State, Session] = WeakKeyDictionary()


def session(state: State, sizes: Mapping[str, int] | None = None, procedure: Procedure | None = None) -> Session:
    """Return what is kept of a run, begun with its first host; that may raise BenchmarkError or ValueError."""
    if state not in _sessions:
        _sessions[state] = Session(state, sizes, procedure or Procedure())
    return _sessions[state]

"""What is declared, what was done to the host, and what is therefore to be expected of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from tests.lab.fleet import BACK_SECONDS, LOCK, SLOTS, Host, Project, Run, Running, catch, model, until

DEPLOY, ROLLBACK, PRUNE, STATUS = "deploy.py", "tasks/rollback.py", "tasks/prune.py", "tasks/status.py"
# What has to hold after a step; what a step breaks by intent is not asked for until a deploy is through.
MEMORY, FILES, TRUTH, DECLARED = EVERYTHING = ("memory", "files", "truth", "declared")
FIRST = {
    "slot1_model": model("smollm2-coder:135m"),
    "slot1_num_ctx": "8192",
    "slot1_system": "You write short, correct Python.",
    "slot2_model": model("gemma3:270m"),
    "slot2_num_ctx": "16384",
    "slot3_model": model("smollm2:135m"),
    "slot3_num_ctx": "4096",
    "slot4_model": model("smollm2-math:135m"),
    "slot4_num_ctx": "8192",
}


@dataclass
class World:
    """A host that things happen to."""

    project: Project
    host: Host
    random: Random
    data: dict[str, str] = field(default_factory=lambda: dict(FIRST))  # what is declared, as --data
    asked: set[str] = field(default_factory=set)  # slots that have to answer
    suspended: set[str] = field(default_factory=lambda: set(EVERYTHING))
    on_the_way: set[str] = field(default_factory=set)  # weights that a killed run was to give slots
    said: bool = False  # slot 4 was set by a deploy that is through: from then on the host knows it
    watch: bool = False  # looks after the slots: what leaves memory is to be back without a deploy
    undo: str = ""  # the commands that take the host's flavour away
    shaken: bool = False  # something was just killed or restarted: an answer may take a second try
    run: Run = field(default_factory=lambda: Run(-1, ""))  # the last command

    @property
    def sound(self) -> bool:
        """Whether nothing is broken; what the slots hold may still be other than what is declared."""
        return self.suspended <= {DECLARED}

    def declared(self, slot: str) -> str | None:
        """The base that a slot is to have."""
        base = self.data[f"slot{SLOTS.index(slot) + 1}_model"]
        return None if base == "none" else base

    def options(self, *more: str) -> list[str]:
        """A command's options: what is declared, and more KEY=VALUE. Slot 4 need not be said twice."""
        leave = self.said and self.random.random() < 0.5
        data = [f"{key}={value}" for key, value in self.data.items() if not (leave and key == "slot4_model")]
        data += ["watch=heal", "watch_seconds=1"] if self.watch else []
        return ["-y", "--limit", self.host.name, *(word for it in (*data, *more) for word in ("--data", it))]

    def task(self, tasks: str, *more: str) -> Run:
        """Runs a task to its end."""
        return self.ended(self.project.deploy(tasks=tasks, options=tuple(self.options(*more))))

    def start(self, tasks: str = DEPLOY, *more: str) -> Running:
        """Starts a task that the caller ends."""
        return self.project.start(*self.options(*more), tasks=tasks)

    def ended(self, run: Run) -> Run:
        """Takes note of a command that has ended."""
        self.run = run
        assert "Traceback" not in run.output, "a command fails by a message"
        return run

    def deploy(self) -> Run:
        """Deploys what is declared: it has to be through, and the next one has nothing to do."""
        self.settle()
        first = self.task(DEPLOY)
        assert first.code == 0, "the deploy is through"
        self.said = True
        again = self.task(DEPLOY)
        assert (again.code, again.changes) == (0, 0), "the deploy after it has nothing to do"
        self.suspended, self.on_the_way, self.shaken = set(), set(), False
        self.asked = {slot for slot in SLOTS if self.declared(slot)}
        return first

    def breaks(self, what: Iterable[str], lost: Iterable[str] = ()) -> None:
        """Takes note of what is not to be expected until a deploy is through.

        + lost: slots that are deliberately broken
        """
        self.suspended |= set(what)
        self.asked -= set(lost)

    def leaves_memory(self) -> str:
        """Takes note that slots have left memory: a deploy has them back, or a watch; which, in words."""
        if self.watch:
            return ""
        self.breaks([MEMORY, TRUTH])
        return self.maybe_heal()

    def maybe_heal(self) -> str:
        """A deploy makes good what was broken, or is left for later; which, in words."""
        if self.random.random() < 0.35:
            return ""
        self.deploy()
        return ", healed"

    def settle(self) -> None:
        """Waits, bounded, until Ollama answers and nobody changes the host any more."""
        up = "curl -fsS --max-time 5 -o /dev/null http://127.0.0.1:11434/api/version"
        until("Ollama answers", lambda: self.host.run(up, check=False).returncode == 0, BACK_SECONDS)
        until("the warm-up is over", lambda: self.host.active("ollama-warmup") != "activating", 120)
        self.host.run(f"flock -w 120 {LOCK} true", timeout=150)

    def meanwhile(self, act: Callable[[Running], object], tasks: str = DEPLOY, *more: str) -> str:
        """Starts a task, and does something at a random moment of it; which, in words.

        Half of the moments are in a rotation, if there is one.
        """
        process = self.start(tasks, *more)
        seconds = self.random.uniform(0.1, 4)
        when = f"after {seconds:.1f} s"
        try:
            if self.random.random() < 0.5:
                seconds /= 3
                when = f"{seconds:.1f} s into a rotation"
                with suppress(AssertionError):
                    catch("a rotation is under way", lambda: process.poll() is not None or self.host.rotating())
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            act(process)
            run = process.ended(300)
        finally:
            process.kill()
        self.ended(run)
        return when

"""Cuts: at moments of a phase, and what has to hold after each."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from lab import hosts
from lab.machine import LabError
from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, model
from tests.powercut.seen import ANOTHER, Served, booted, served

# A deploy is through, and what it did is not yet on the disk: seconds after its end that are looked at, too.
AFTER = 2


@dataclass
class Stage:
    """A host whose power can be cut, and what is deployed to it.

    + kind: of its filesystem, xfs or ext4
    """

    project: Project
    host: Host
    kind: str

    def deploy(self, phase: Phase) -> float:
        """Deploys what a phase declares; the seconds that it took. Raises AssertionError if it fails."""
        start = time.monotonic()
        run = self.project.deploy(*phase.data, options=("-y", "--limit", self.host.name))
        said = [it for it in run.output.splitlines() if self.host.name in it and "Error: executed" not in it]
        assert run.code == 0, f"the deploy ended with {run.code}: {' '.join(said[-1:]).strip()}\n{run.output}"
        return time.monotonic() - start

    def keep(self, phase: Phase) -> None:
        """Keeps the host as it is, all of it on its disk, for a phase to begin with."""
        self.host.run("sync")
        hosts.keep(self.host.name, phase.begins)

    def begin(self, phase: Phase) -> None:
        """Has the host be as a phase begins with it."""
        hosts.back_to(self.host.name, phase.begins)
        booted(self.host)


@dataclass(frozen=True)
class Phase:
    """A deploy whose moments are looked at.

    + begins: the copy of the host's disk that it begins with
    + coding: the base that it declares for the first slot
    """

    name: str
    begins: str
    coding: str

    @property
    def data(self) -> tuple[str, ...]:
        """KEY=VALUE of --data."""
        return SLOT4, f"slot1_model={self.coding}"


FIRST = Phase("first deploy", "fresh", model("smollm2-coder:135m"))
ROTATION = Phase("rotation", "deployed", model("smollm2-chat:135m"))


@dataclass
class Outcome:
    """What became of a host whose power was cut.

    + seconds: of the phase, when the power went
    + answered: slots, right before
    + healed: seconds from then until the next deploy was through
    + wrong: what did not hold, and below the first line of it all that the deploy said
    """

    phase: str
    seconds: float
    answered: frozenset[str]
    healed: float = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        why = "; ".join(it.partition("\n")[0] for it in self.wrong)
        return (
            f"{self.phase:12}  {self.seconds:5.1f} s  answered: {' '.join(sorted(self.answered)) or 'none':52}  "
            f"healed in {self.healed:5.1f} s  {f'NOT ok: {why}' if self.wrong else 'ok'}"
        )


def cut(stage: Stage, phase: Phase, moment: float) -> Outcome:
    """Cuts the power in a phase, has it come back, and deploys again.

    + moment: in seconds after the start of the deploy
    """
    stage.begin(phase)
    start = time.monotonic()
    data = [word for it in phase.data for word in ("--data", it)]
    deploy = stage.project.start("--limit", stage.host.name, *data)
    time.sleep(moment)
    before = served(stage.host, then=ANOTHER)
    outcome = Outcome(phase.name, time.monotonic() - start, before.slots)
    if deploy.poll():
        outcome.wrong.append(f"the deploy itself ended with {deploy.returncode}")
    gone = time.monotonic()
    try:
        hosts.cut(stage.host.name)
        outcome.wrong += lost(stage, before)
        stage.deploy(phase)
        assert stage.host.resident(*SLOTS), "after the next deploy not every slot is hot"
        assert stage.host.parent(SLOTS[0]) == phase.coding, f"{SLOTS[0]} is not of {phase.coding}"
        assert before.bases <= served(stage.host).bases, "the next deploy has not recorded them either"
    except (AssertionError, LabError, subprocess.TimeoutExpired) as error:
        outcome.wrong.append(str(error))
    finally:
        deploy.kill()
        deploy.communicate(timeout=30)
    outcome.healed = time.monotonic() - gone
    return outcome


def lost(stage: Stage, before: Served) -> list[str]:
    """What a host had before its power was cut, and has no more when its boot is over; a line each."""
    booted(stage.host)
    after = served(stage.host)
    wrong = {
        "answers no more": before.slots - after.slots,
        "is recorded no more": before.bases - after.bases,
    }
    return [f"{', '.join(sorted(names))} {what}" for what, names in wrong.items() if names]


def spread(seconds: float, moments: int, random: Random) -> list[float]:
    """Moments of a deploy that takes so many seconds, and of the time after it: one in each of equal parts."""
    part = (seconds + AFTER) / moments
    return [random.uniform(number, number + 1) * part for number in range(moments)]


def cuts(stage: Stage, moments: int, random: Random) -> Iterator[Outcome]:
    """Cuts the power at so many moments of a first deploy, and of a rotation on a host with every slot hot."""
    hosts.renew(stage.host.name, stage.kind)
    stage.keep(FIRST)
    for phase in (FIRST, ROTATION):
        stage.begin(phase)
        seconds = stage.deploy(phase)
        print(f"{phase.name}: {seconds:.1f} s where nothing is cut", flush=True)
        if phase is FIRST:
            stage.keep(ROTATION)
        for moment in spread(seconds, moments, random):
            yield cut(stage, phase, moment)

"""What a fault is, and the stage on which it is made."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.fleet import LOCK, Host, Project, Run, Running


@dataclass
class Stage:
    """A deployed host whose slots are being asked, and what the deploy that met the fault came to."""

    project: Project
    gpu1: Host
    gpu2: Host
    path: Path  # a directory for what the fault needs
    data: tuple[str, ...] = ()
    limit: str = "gpu1"
    run: Run = field(default_factory=lambda: Run(-1, ""))
    seconds: float = 0

    def deploy(
        self,
        *data: str,
        during: Callable[[Running], object] = lambda _: None,
    ) -> None:
        """The deploy that meets the fault, on the hosts of ``limit``.

        + data: KEY=VALUE of --data
        + during: what is done while it runs, given its process
        """
        self.data = data
        options = ["--limit", self.limit, *(word for it in data for word in ("--data", it))]
        start = time.monotonic()
        process = self.project.start(*options)
        try:
            during(process)
            self.run = process.ended(300)
        finally:
            process.kill()
        self.seconds = time.monotonic() - start

    def reading(self) -> bool:
        """Whether gpu1 is being read."""
        return self.gpu1.run(f"flock -n {LOCK} true", check=False).returncode == 1


def message(says: str, run: Run) -> str | None:
    """The last line of a run that a pattern is found in, without the host's name; None where there is none.

    Nor does it have the place in the code that pyinfra names before what is wrong with the data.
    """
    before = r"^\s*(--> )?(\[gpu\d\] )?(pyinfra error in \S+ line \d+: )?"
    lines = [re.sub(before, "", line) for line in run.output.splitlines()]
    return next((" ".join(line.split()) for line in reversed(lines) if re.search(says, line)), None)


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    + code: the exit code of the deploy that meets it
    + says: a pattern that the line has which tells of it
    + loses: whether requests are lost by the fault itself, whatever a deploy does
    + again: whether the next deploy declares the same; else what the hosts had before
    + gpu: whether it needs the simulated GPU
    """

    play: Callable[[Stage], None]
    code: int
    says: str
    loses: bool
    again: bool
    gpu: bool

    @property
    def title(self) -> str:
        """What goes wrong, in words."""
        return " ".join((self.play.__doc__ or "").split()).removesuffix(".")

    def message(self, run: Run) -> str | None:
        """The last that the deploy said of it; None where it said nothing of it."""
        return message(self.says, run)


def row(*cells: object) -> str:
    """A row of a table on a page."""
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |\n"


FAULTS: list[Fault] = []


def fault(
    code: int, says: str, loses: bool = False, again: bool = True, gpu: bool = False
) -> Callable[[Callable[[Stage], None]], None]:
    """Puts a function that makes a fault, deploys, and takes the cause away again, into the table."""

    def register(play: Callable[[Stage], None]) -> None:
        FAULTS.append(Fault(play, code, says, loses, again, gpu))

    return register

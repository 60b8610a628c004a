"""``make chaos``: random steps on one of the lab's hosts, each drawn from the seed and its number.

After each step (invariants.py): every slot that has to answer answers; the memory holds the slots' runners and no
other; nothing is left of what only lives while something is done; each state is what the engine says; each slot is
as declared. A step that breaks one of these by intent suspends it until the next deploy, which often comes in the
same step, and sometimes after others: it has to be through, and the one after it has to have nothing to do.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from random import Random, randrange

from lab import filesystem, hosts
from tests.chaos import faults, interruptions, steps  # noqa: F401 (they register)
from tests.chaos.hosts import undo_flavour
from tests.chaos.invariants import check
from tests.chaos.step import STEPS, Step, draw
from tests.chaos.world import FIRST, World
from tests.lab.conftest import serve
from tests.lab.fleet import Host, Project

ALONE = [
    it
    for it in STEPS
    if it.play
    in {
        faults.runner_killed,
        faults.unloaded,
        faults.asked_otherwise,
        faults.ollama_killed,
        faults.ollama_restarted,
        faults.rebooted,
    }
]


def walk(world: World, seed: int, first: int, last: int, kinds: list[Step]) -> dict[str, list[float]]:
    """Takes steps of these kinds; the seconds of each, by kind. Raises what a step or a check after it raises."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for number in range(first, last + 1):
        world.random = Random(f"{seed}/{number}")
        step = draw(world.random, kinds)
        print(f"{number:4}  {step.kind} ", end="", flush=True)
        start = time.monotonic()
        said = step.play(world)
        check(world)
        seconds[step.kind].append(time.monotonic() - start)
        print(f"{said}  {seconds[step.kind][-1]:.1f} s, exit code {world.run.code}", flush=True)
    return seconds


def main() -> int:
    """Takes the steps that the command line asks for; 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=randrange(10**6))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="the number of the first one")
    parser.add_argument("--host", default="gpu1")
    parser.add_argument("--watch", action="store_true", help="looks after the slots, each second")
    parser.add_argument("--alone", action="store_true", help="slots leave memory, and nothing is deployed")
    parser.add_argument("--disk", choices=filesystem.MAKE, default="", help="that loses what is not synced")
    arguments = parser.parse_args()
    seed, last = arguments.seed, arguments.first + arguments.steps - 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the host is left deployed then, too
    print(f"seed {seed}, steps {arguments.first} to {last}, on {arguments.host}", flush=True)
    start = time.monotonic()
    if arguments.disk:
        hosts.renew(arguments.host, arguments.disk)
    with tempfile.TemporaryDirectory() as path:
        serve()
        world = World(Project(Path(path)), Host(arguments.host), Random(seed))
        world.watch = arguments.watch or arguments.alone
        (Path(path) / "inventory.py").write_text(f"lab = [{arguments.host!r}]\n")
        try:
            world.deploy()
            check(world)
            seconds = walk(world, seed, arguments.first, last, ALONE if arguments.alone else STEPS)
        except Exception as error:
            print(f"\n\n{type(error).__name__}: {error}\n\nThe last command ended with {world.run.code}:")
            print(world.run.output)
            print(f"declared: {world.data}\nsuspended: {world.suspended}, to answer: {world.asked}")
            print(f"To see it again: make chaos SEED={seed}", flush=True)
            return 1
        finally:
            serve()
            undo_flavour(world)
            world.data, world.said = dict(FIRST), False
            world.deploy()
    for kind, each in sorted(seconds.items()):
        print(f"{len(each):4}  {kind}: {sum(each):.0f} s, the longest {max(each):.1f} s")
    print(f"seed {seed}: {arguments.steps} steps in {time.monotonic() - start:.0f} s, and all of it held")
    return 0


if __name__ == "__main__":
    sys.exit(main())

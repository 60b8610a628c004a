"""``make powercut``: the power is cut at moments of a first deploy, and at moments of a rotation of one slot.

Right before it another program syncs a file of its own. What nobody synced may be lost; after the boot every slot
that answered has to answer again, every base that was recorded has to be, and the next deploy has to end as
declared, with every slot hot. The host has a filesystem of its own for the time; it is left as it first was.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import Random, randrange

from lab import hosts
from lab.filesystem import MAKE
from tests.lab.conftest import serve
from tests.lab.fleet import Host, Project
from tests.powercut.cut import Stage, cuts


def main() -> int:
    """Makes the cuts that the command line asks for; 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="make powercut", description=__doc__)
    parser.add_argument("--disk", choices=sorted(MAKE), default="xfs", help="the host's filesystem")
    parser.add_argument("--moments", type=int, default=10, help="of each of the two")
    parser.add_argument("--seed", type=int, default=randrange(10**6))
    parser.add_argument("--host", default="gpu1")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the host is left as it was then, too
    print(f"seed {arguments.seed}, {arguments.moments} moments of each, {arguments.host} on {arguments.disk}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as path:
        serve()
        stage = Stage(Project(Path(path)), Host(arguments.host), arguments.disk)
        try:
            outcomes = []
            for outcome in cuts(stage, arguments.moments, Random(arguments.seed)):
                outcomes.append(outcome)
                print(outcome, flush=True)
        finally:
            hosts.renew(arguments.host)
    bad = [it for it in outcomes if it.wrong]
    for outcome in bad:
        print(f"\n{outcome}", *outcome.wrong, sep="\n")
    took = time.monotonic() - start
    print(f"seed {arguments.seed}: {len(outcomes)} cuts in {took:.0f} s, {len(bad)} of them NOT ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""The lab's commands: `python -m lab up` and `python -m lab down`. LAB_HOSTS=n asks for n hosts, not two.

LAB_ENGINE=0.16.2 has that Ollama on them (0.34.4, 0.32.15, 0.16.2). LAB_PACKAGES=a,b has these Debian packages on
them as well.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab import disk, engine, hosts, registry
from lab.build import debian_root
from lab.cache import digest_of
from lab.machine import RUN, SOURCES, STATE, TOOLS, LabError, need, say, step
from lab.models import models

LOCK = Path("/run/lock/ollama-slots-lab")
LOCK_SECONDS = 1800
# Written when the lab is complete, with a digest of what it was made of.
STAMP = STATE / "stamp"


def up() -> None:
    """Brings the lab up with the wanted hosts. If it is up already, only the registry's tree is made anew."""
    names = hosts.wanted()
    engine.wanted()  # known, or there is nothing to begin with
    need(TOOLS)
    with ThreadPoolExecutor() as pool:
        # Compiling waits for the processor, the others mostly for the network.
        compiled = pool.submit(engine.layers)
        debian_root()
        models()
        compiled.result()
    stamp = made_of()
    if STAMP.exists() and STAMP.read_text() == stamp and hosts.all_healthy(names):
        registry.fill()
        if not registry.running():
            registry.start()
        say(f"{', '.join(names)} are up already")
        return
    down()
    with step(f"boot {', '.join(names)}"):
        hosts.create(names)
    with step("start the registry"):
        registry.fill()
        registry.start()
    STAMP.write_text(stamp)


def made_of() -> str:
    """A digest of what a lab is made of: the layers below its hosts, the engine among them, and these sources."""
    # Not the selection file: it is data, for a user to change and deploy.
    files = sorted(file for file in SOURCES.rglob("*") if file.is_file() and file.suffix not in (".pyc", ".json"))
    return digest_of(disk.layers(), *files)


def down() -> None:
    """Takes the lab away, whichever checkout made it and whatever is left of it. The cache stays."""
    STAMP.unlink(missing_ok=True)
    if not shutil.which("ip"):
        return  # this machine never had a lab
    with step("clear"):
        registry.stop()
        hosts.clear()
        # Emptied, not removed: with the directory would go what a lab apart has mounted there, for itself.
        for leftover in RUN.glob("*"):
            leftover.unlink(missing_ok=True)


@contextmanager
def alone() -> Iterator[None]:
    """Lets one of the lab's commands run at a time, on the whole machine."""
    with LOCK.open("w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        waiting = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(f"another lab command has held {LOCK} for {LOCK_SECONDS} s") from None
                if not waiting:
                    say("another lab command is running: waiting for it")
                waiting = True
                time.sleep(0.5)
        yield


def main() -> int:
    """Runs the command of the command line; gives the exit code."""
    commands = {"up": up, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    os.umask(0o022)  # what is made here is also read by users inside the hosts
    try:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise LabError("the lab boots hosts of its own: it needs root, and Debian or Ubuntu")
        STATE.mkdir(exist_ok=True)
        with alone():
            commands[sys.argv[1]]()
    except LabError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

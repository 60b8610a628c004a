"""What a host is held in until told, so that a test comes in time, however slow or fast the machine is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.lab.fleet import Host, catch

LOADS = "/run/simulated-gpu.lock"  # the lab's llama-server waits for it before it loads a model
WAITS = "pgrep -fx 'flock -w .*'"  # of a rotation, for LOCK


@contextmanager
def held(host: Host, lock: str = LOADS, shared: bool = False) -> Iterator[Callable[[], object]]:
    """Holds a lock of a host for the time of the ``with``; gives what lets go earlier, by a kill.

    + lock: LOADS, and no model loads; or fleet's LOCK, and no deploy reads the host or changes it
    + shared: with LOCK, a deploy reads the host, and changes nothing
    """
    hold = f"echo 'a test that sleeps' >{lock}; exec sleep 600"
    flock = f'flock {"-s" if shared else "-x"} {lock} sh -c "{hold}"'
    host.run(f"systemd-run --quiet --collect --unit=holder {flock}")
    try:
        catch(f"{lock} is held", lambda: host.run(f"flock -x -n {lock} true", check=False).returncode == 1)
        yield lambda: host.run("systemctl kill --signal=KILL holder")
    finally:
        host.run("systemctl stop holder", check=False)  # gone already where it was let go, or the host booted


@contextmanager
def silent(host: Host) -> Iterator[None]:
    """Ollama takes requests for the time of the ``with``, and answers none."""
    process = host.out("systemctl show -p MainPID --value ollama")
    host.run(f"kill -STOP {process}")
    try:
        yield
    finally:
        host.run(f"kill -CONT {process}", check=False)  # a test may have killed it


def waits(host: Host) -> bool:
    """Whether a rotation waits to begin, for LOCK is held."""
    return host.run(WAITS, check=False).returncode == 0

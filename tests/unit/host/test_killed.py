"""A rotation that is killed, wherever that is, costs a slot nothing, and the next deploy makes it good."""

from __future__ import annotations

import signal

import pytest

from ollama_slots.core.steps import Rotate
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds, memory, names, pulled, weights

A, B = weights("a:1b"), weights("b:1b")
WANTED = declared("b:1b")
CHANGES = 16  # that it makes: requests to Ollama, and writes to the disk


def left(host: DirectoryHost) -> list[str]:
    """Files that somebody began to write and that have no name yet."""
    kept = [host.root / it for it in ("run/ollama-slots", "var/lib/ollama-slots", "etc/ollama")]
    return [it.name for directory in kept for it in directory.rglob("*.new")]


@pytest.mark.parametrize("lives", [0, 2, 5, 8, 10, 11, 12, 13, 14, CHANGES - 1])
def test_a_slot_serves_all_the_time_and_has_what_is_declared_after_the_next_deploy(
    host: DirectoryHost, lives: int
) -> None:
    holds(host, "one", "a:1b")
    pulled(host, "b:1b")
    [step] = host.plan(WANTED)
    assert isinstance(step, Rotate)
    assert host.killed_after(lives, step, WANTED).code == -signal.SIGKILL
    assert names(host, "one")["latest"] in (A, B)
    host.engine.generate({"model": "one:latest"})

    host.deploy(WANTED)
    assert host.plan(WANTED) == []
    assert host.faults(WANTED) == {}
    assert names(host, "one") == {"latest": B, "current": B, "previous": A}
    assert memory(host) == {B}
    assert left(host) == []
    assert host.state("previous/one")["weights"] == A

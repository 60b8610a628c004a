"""Run by ``pytest --pyargs ollama_slots.verify``: is what was asked for what is there?

Each test once a host, or once a host and slot. Run it after a deploy, from the root of the project, with its
``group_data``; in a checkout as ``pytest tests/verify``. It changes nothing, and asks models for one token each.
``--inventory FILE`` for another inventory; ``-k gpu1`` for the hosts, ``-k backup`` for
the slots whose names contain that.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ollama_slots.run.inventory import Declared, declared
from ollama_slots.verify.inventory import ssh_config, ssh_name
from ollama_slots.verify.look import Look


@cache
def hosts(root: Path, inventory: str) -> list[Declared]:
    """Read the inventory, once."""
    try:
        return declared(root, inventory)
    except ValueError as error:
        raise pytest.Collector.CollectError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Name every test by its host, or by its host and slot."""
    if "look" not in metafunc.fixturenames:
        return
    fleet = hosts(metafunc.config.invocation_params.dir, metafunc.config.getoption("--inventory", "inventory.py"))
    if "slot" in metafunc.fixturenames:
        pairs = [(host, slot) for host in fleet for slot in host.settings.slots]
        ids = [f"{host.name}-{slot.name}" for host, slot in pairs]
        metafunc.parametrize(("look", "slot"), pairs, ids=ids, indirect=["look"])
    else:
        metafunc.parametrize("look", fleet, ids=[host.name for host in fleet], indirect=True)


@pytest.fixture(scope="session")
def looks(pytestconfig: pytest.Config) -> Iterator[Callable[[Declared], Look]]:
    """Keep one connection a host for the whole session, closed at its end."""
    taken: dict[str, tuple[Declared, Path, Look]] = {}
    # Not pytest's own temporary directory: its path can be too long for a socket's.
    with tempfile.TemporaryDirectory(prefix="verify-", dir="/tmp") as directory:

        def take(host: Declared) -> Look:
            if host.name not in taken:
                file = Path(directory) / f"{len(taken)}.conf"
                file.write_text(
                    ssh_config(host, pytestconfig.invocation_params.dir, Path(directory)), encoding="utf-8"
                )
                taken[host.name] = host, file, Look(host, str(file))
            return taken[host.name][2]

        yield take
        for host, file, _ in taken.values():
            command = ["ssh", "-F", str(file), "-O", "exit", ssh_name(host)]
            subprocess.run(command, capture_output=True, check=False, timeout=30)


@pytest.fixture
def look(request: pytest.FixtureRequest, looks: Callable[[Declared], Look]) -> Look:
    """Look at one host."""
    return looks(request.param)

"""The host becomes another one: of another flavour, or with another Ollama."""

from __future__ import annotations

import subprocess

from lab import engine
from tests.chaos.step import step
from tests.chaos.world import MEMORY, TRUTH, World
from tests.lab.fleet import SSH_CONFIG
from tests.lab.hosts import of_gpus, of_logins, of_owners  # noqa: F401 (they register)
from tests.lab.hosts.flavour import FLAVOURS

VERSIONS = ("0.32.15", "0.34.4")
INSTALL = "cd /usr/local/bin && cat >ollama.new && chmod 755 ollama.new && mv ollama.new ollama && sync"


def undo_flavour(world: World) -> None:
    """Has the host be of no flavour any more."""
    undo, world.undo = world.undo, ""
    if undo:
        world.host.run(f"{undo}\nsync")  # what the power takes away is to be ours
        world.shaken = True


@step(5)
def another_flavour(world: World) -> str:
    """What people's machines have, until the next one comes."""
    undo_flavour(world)
    it = world.random.choice([it for it in FLAVOURS if it.walks])
    world.undo = it.undo
    world.host.run(f"set -e\n{it.make}\nsync")
    world.shaken = True
    world.breaks([MEMORY, TRUTH])  # some take away what ours sets, and leave two slots in memory
    return f"{it.has}{world.maybe_heal()}"


@step(4)
def another_engine(world: World) -> str:
    """Ollama is replaced by a newer one, or by an older one, and started again; what was hot is hot again."""
    here = world.host.api("/api/version")["version"]
    [version] = {*VERSIONS} - {here} if here in VERSIONS else {VERSIONS[-1]}
    program = engine.ollama(version) / engine.PROGRAMS / "ollama"
    with program.open("rb") as file:
        subprocess.run(["ssh", "-F", SSH_CONFIG, world.host.name, INSTALL], stdin=file, check=True, timeout=120)
    world.host.run("systemctl restart ollama")
    world.shaken = True
    return f"{version} in place of {here}"

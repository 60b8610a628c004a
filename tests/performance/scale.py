"""What a control machine spends on each of very many hosts that are as declared.

The hosts are pyinfra's own @fake ones, which answer at once; beside the deploy runs what pyinfra alone costs: as
many operations with as many commands, which are as long, and so are their answers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ollama_slots.core.settings import Settings
from ollama_slots.facts import HostObserved
from tests.lab.fleet import ROOT
from tests.performance import kept, tables
from tests.performance.declared import defaults
from tests.performance.measured import Measured, measured
from tests.unit.fake import install
from tests.unit.host.seam import marked
from tests.unit.world import deployed

INVENTORY = """
import json
_lines = json.load(open("answer.json"))
_data = {{"fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": {{"== units": _lines}}}}
fake = [(f"@fake/host{{number}}", _data) for number in range({hosts})]
"""
# As deploy.py has it: three files that are included, five operations, of which the first reads a host.
FLOOR = {
    "deploy.py": "from pyinfra import local\n"
    + "".join(f'local.include("tasks/{name}.py")\n' for name in ("one", "two", "three")),
    "tasks/one.py": "from floor import idle, read\nread(name='One')\nidle(name='Two')\n",
    "tasks/two.py": "from floor import idle\nidle(name='Three')\nidle(name='Four')\n",
    "tasks/three.py": "from floor import idle\nidle(name='Five')\n",
    "floor.py": '''
from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation

TEXT = open("command.sh").read()

class Lines(FactBase):
    def command(self):
        return StringCommand(TEXT)

@operation()
def read():
    """Reads once, and has nothing to do."""
    host.get_fact(Lines)
    host.noop("nothing to do")
    yield from ()

@operation()
def idle():
    """Has nothing to do."""
    host.noop("nothing to do")
    yield from ()
''',
}


SLOT4 = "mistral:7b"


def declared() -> dict[str, Any]:
    """The data of a host."""
    return {**defaults(), "slot4_model": SLOT4}


def settled() -> list[str]:
    """What a host says that is as the defaults declare."""
    settings = Settings.of(declared())
    world = deployed(settings)
    world.most = settings.loaded_models
    world.service["UnitFileState"] = "enabled"
    install(world, settings)
    return world.probe()


def lay_out(path: Path, hosts: int, floor: bool) -> None:
    """Makes a project of so many hosts: this one, or the one that shows what pyinfra alone costs."""
    (path / "answer.json").write_text(json.dumps(marked(settled())))
    (path / "inventory.py").write_text(INVENTORY.format(hosts=hosts))
    if floor:
        (path / "tasks").mkdir()
        (path / "command.sh").write_text(str(HostObserved().command(Settings.of(declared()))))
        for name, text in FLOOR.items():
            (path / name).write_text(text)
        return
    for name in ("deploy.py", "tasks", "templates", "ollama_slots", "group_data", "lab"):
        (path / name).symlink_to(ROOT / name)


def cost(hosts: int, floor: bool) -> Measured:
    """Runs it in a process of its own. Raises AssertionError where it did not end as it has to."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        lay_out(path, hosts, floor)
        command = [sys.executable, "-m", "pyinfra", "inventory.py", "deploy.py", "-y"]
        run = measured([*command, "--data", f"slot4_model={SLOT4}"], path)
    done = run.code == 0 and run.output.count("No changes") == 5 * hosts
    assert done, f"the run on {hosts} hosts did not end with nothing to do:\n{run.output[-4000:]}"
    return run


def scale(numbers: list[int]) -> None:
    """Measures runs on so many hosts, ours and pyinfra alone; what a run on one host costs is taken off."""
    line = "{:>6} {:>10} {:>10} {:>10} {:>10} {:>10}"
    print(line.format("hosts", "ms, ours", "pyinfra's", "beyond", "MB, ours", "pyinfra's"))
    one = [cost(1, floor) for floor in (False, True)]
    rows: list[dict[str, Any]] = []
    for hosts in numbers:
        runs = [cost(hosts, floor) for floor in (False, True)]
        cpu = [(it.cpu - base.cpu) / hosts * 1000 for it, base in zip(runs, one, strict=True)]
        memory = [(it.memory - base.memory) / hosts / 10**6 for it, base in zip(runs, one, strict=True)]
        rows.append({"hosts": hosts, "ms": cpu, "mb": memory, "wall": [it.wall for it in runs]})
        kept.save("scale", rows)
        figures = [f"{it:.1f}" for it in (*cpu, tables.beyond(rows[-1]))] + [f"{it:.2f}" for it in memory]
        print(line.format(hosts, *figures), flush=True)

"""What the scripts need of a host and is not there is said at once, in one line, by every operation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ollama_slots.core import needs
from ollama_slots.host import scripts
from ollama_slots.host.probe import parse_probe
from ollama_slots.operations import canary
from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.prune import prune
from ollama_slots.operations.rollback import rollback
from ollama_slots.operations.service import service
from ollama_slots.operations.status import status
from ollama_slots.operations.warm_up import proof, warm_up
from tests.unit.deploys import AB
from tests.unit.fake import Run, answers
from tests.unit.host.doubled import doubled
from tests.unit.world import World

ROOT = "needs root on the host, found user admin: set _sudo = True"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], None),
        (["root admin"], ROOT),
        (["flock"], "needs flock on the host, found none: install util-linux (Debian), util-linux (Red Hat)"),
        (
            ["curl", "awk"],
            "needs curl and awk on the host, found none: install curl mawk (Debian), curl gawk (Red Hat)",
        ),
    ],
)
def test_it_is_named_with_what_to_do(lines: list[str], said: str | None) -> None:
    assert needs.lacking(lines) == said


def test_all_of_it_is_one_line() -> None:
    said = needs.lacking([*needs.TOOLS, "systemd", "root \x1b[31m" + "x" * 999]) or ""
    assert said.isprintable()
    assert len(said) < 600


OPERATIONS = [preflight, service, models, warm_up, proof, status, prune, rollback, canary.speed]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_refuses_the_host_with_one_line(operation: Any, caplog: pytest.LogCaptureFixture) -> None:
    done = Run([operation], AB, gpu=answers(World(lacks=["root admin"]), AB))
    assert done.failed == {"gpu"}
    assert len(done.commands["gpu"]) == 1
    errors = [it.getMessage() for it in caplog.records if it.levelname == "ERROR"]
    assert len([it for it in errors if ROOT in it]) == 1
    assert len(errors) == 2, "the other is pyinfra's own: executed 0 commands"


def probe(root: Path, without: str = "", user: str = "0", booted: bool = True) -> list[str]:
    """What the probe prints on this machine, were that not there: of it, what comes before it looks at Ollama."""
    doubles = (
        f"command() {{ [ \"$2\" != '{without}' ]; }}",
        f"id() {{ echo {user}; }}",
        "flock() { false; }",
    )
    (root / "run").mkdir(exist_ok=True)
    if booted:
        Path(scripts.path("runtime_units", f"{root}")).mkdir(parents=True, exist_ok=True)
    arguments = {"url": "", "tools": " ".join(needs.TOOLS), "shows": "no", "declared": ""}
    text = doubled("probe", "\n".join(doubles), root=f"{root}", **arguments)
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_probe_says_what_is_not_there(tmp_path: Path) -> None:
    assert parse_probe(probe(tmp_path, booted=False)).lacks == needs.lacking(["systemd"])
    assert parse_probe(probe(tmp_path)).lacks is None
    assert parse_probe(probe(tmp_path, "flock")).lacks == needs.lacking(["flock"])
    assert parse_probe(probe(tmp_path, user="7")).lacks == needs.lacking(["root 7"])
    for cut in range(len(output := probe(tmp_path, "flock"))):
        with pytest.raises(ValueError, match="did not finish"):
            parse_probe(output[:cut])


def test_every_tool_that_the_scripts_use_is_asked_for() -> None:
    """Beside coreutils, which are there where anything is; and nvidia-smi, which need not be."""
    text = "\n".join(it.read_text() for it in scripts.HERE.glob("*.sh"))
    for tool in needs.TOOLS:
        if tool != "systemd-run":  # of the warm-up
            assert re.search(rf"(^|[\s(|]){tool} ", text, re.MULTILINE), tool

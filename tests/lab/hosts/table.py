"""Each flavour of a host is deployed to: what it ends with, says, and leaves hot. ``make hosts`` runs it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import hosts as lab_hosts
from tests.lab.faults.fault import Stage, message, row
from tests.lab.fleet import ROOT, SLOTS, Host, Project, Run, model
from tests.lab.hosts import of_gpus, of_logins, of_owners, of_slots, of_stores  # noqa: F401 (they register)
from tests.lab.hosts.flavour import FLAVOURS, URL, Flavour, look, sh

TABLE = ROOT / ".lab" / "hosts.md"  # make hosts has it in docs/
HEAD = """# Hosts as they are

Written by `make hosts`: a lab host with four hot slots is made into each of these, and is then deployed to, with
another model for the first slot. *Hot* are the slots that Ollama holds in memory before that deploy (Ollama was
started anew where the difference shows only then) and after it; *starts* is how often the deploy started Ollama.
A deploy that ended well is followed by another one, which has to have nothing to do. Then the host is put right
again, and the next deploy has to end with every slot resident.

| what the host has | exit code | what the deploy says | seconds | hot before | hot after | starts |
|---|---|---|---|---|---|---|
"""
# What all of them are deployed with: bounds that are no longer than what is waited for here.
BASE = {"slot4_model": model("smollm2-math:135m"), "api_seconds": 20, "load_seconds": 120}
MODELS = (model("smollm2-coder:135m"), model("smollm2-chat:135m"))
BOOT_SECONDS = 180


class Deployed:
    """gpu1 as it is from row to row."""

    slot1 = ""

    def next(self) -> str:
        """A model for the first slot that it has not."""
        return MODELS[self.slot1 == MODELS[0]]


@pytest.fixture(scope="session")
def deployed() -> Deployed:
    return Deployed()


@pytest.fixture(scope="session")
def rows() -> dict[str, str]:
    return {}


def put(rows: dict[str, str], it: Flavour, text: str) -> None:
    """Puts a flavour's row into the table, with those that there are."""
    rows[it.has] = text
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(HEAD + "".join(rows.get(it.has, "") for it in FLAVOURS))


def declare(project: Project, data: dict[str, Any], also: dict[str, Any]) -> None:
    """Has a project be of gpu1, with these data; and of another name with others, if there are any."""
    names = [("gpu1", data)] + ([("second", {**BASE, **also})] if also else [])
    (project.path / "inventory.py").write_text(f"lab = {names!r}\n")


def heal(project: Project, deployed: Deployed, slot1: str) -> None:
    """Deploys to gpu1 as it is to be between two rows."""
    declare(project, {**BASE, "slot1_model": slot1}, {})
    shutil.copy(ROOT / "lab" / "model_selection.json", project.selection)
    run = project.deploy()
    assert run.code == 0, f"not put right again:\n{run.output}"
    assert len(look(URL).hot) == len(SLOTS), "not hot again"
    deployed.slot1 = slot1


@pytest.fixture
def project(checkout: Project, deployed: Deployed) -> Iterator[Project]:
    """A project of gpu1, which is as between two rows; an empty host, where it could not be put right."""
    if not deployed.slot1:
        heal(checkout, deployed, MODELS[0])
    yield checkout
    if not deployed.slot1:
        lab_hosts.renew("gpu1")


@pytest.mark.parametrize(
    "it",
    [pytest.param(it, marks=[pytest.mark.gpu] if it.gpu else []) for it in FLAVOURS],
    ids=[it.has[:60] for it in FLAVOURS],
)
def test_a_flavour(
    it: Flavour,
    project: Project,
    gpu1: Host,
    gpu2: Host,
    deployed: Deployed,
    tmp_path: Path,
    rows: dict[str, str],
) -> None:
    if it.needs and gpu1.run(f"command -v {it.needs}", check=False).returncode:
        pytest.skip(f"the lab's hosts have no {it.needs}: LAB_PACKAGES={it.needs}")
    stage = Stage(project, gpu1, gpu2, tmp_path, limit="lab")
    slot1, deployed.slot1 = deployed.next(), ""
    declare(project, {**BASE, "slot1_model": slot1, **it.own}, it.also)
    if it.prepare:
        it.prepare(project)
    try:
        sh(f"set -e\n{it.make}")
        if it.boots:
            lab_hosts.reboot("gpu1")
        before = look(it.url, *it.more, seconds=BOOT_SECONDS)
        again = deploy_twice(stage, it)
        after = look(it.url, *it.more)
    finally:
        sh(it.undo)
    found = message(it.says, stage.run)
    counted = after.starts - before.starts
    slots = [None if it.after is None else len(at.hot) for at in (before, after)]
    put(rows, it, row(it.has, stage.run.code, found, f"{stage.seconds:.1f}", *slots, counted))
    wrong = {
        "the exit code": stage.run.code != it.code,
        f"what is said: {it.says}": found is None or "Traceback" in stage.run.output,
        f"the hot slots, {it.after}": slots[1] != it.after or not before.hot <= after.hot,
        "the boot": it.boots and len(before.hot) != len(SLOTS),
        f"the starts of Ollama, {it.restarts}": counted != it.restarts,
        "a second deploy that has nothing to do": again.code != it.code
        or (again.code == 0 and again.changes != 0),
    }
    heal(project, deployed, slot1)
    expected = [what for what, is_wrong in wrong.items() if is_wrong]
    assert not expected, (
        f"{rows[it.has]}not as expected: {'; '.join(expected)}\n{stage.run.output}\n{again.output}"
    )


def deploy_twice(stage: Stage, it: Flavour) -> Run:
    """Deploys, and again if that ended well and as it was to; what the last one came to."""
    try:
        stage.deploy()
    except subprocess.TimeoutExpired as hangs:
        stage.run, stage.seconds = Run(-1, "it hangs"), hangs.timeout
    return stage.run if it.code or stage.run.code else stage.project.deploy()

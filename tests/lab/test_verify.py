"""The suite for users' fleets tells a good host from a bad one; what it finds, the next deploy repairs."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.lab.fleet import ROOT, Host, Project, holds, model


def verify(project: Project) -> tuple[int, set[str], str]:
    """Runs the suite of the checkout; its exit code, the ids of what failed, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "tests" / "verify")],
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S+\[([^\]]+)\]", done.stdout, re.MULTILINE))
    return done.returncode, failed, done.stdout


def test_after_a_deploy_all_is_well(project: Project, fleet: tuple[Host, Host]) -> None:  # noqa: ARG001
    code, _, said = verify(project)
    assert code == 0, said
    assert re.search(r"\d\d+ passed", said), said


def test_a_stopped_slot_and_a_stray_variant_are_found_and_repaired(project: Project, gpu2: Host) -> None:
    gpu2.unload("backup")
    code, failed, said = verify(project)
    assert code == 1
    assert failed == {"gpu2-backup"}, said

    gpu2.run(f"echo 'FROM {model('smollm2-math:135m')}' >/tmp/stray && ollama create backup -f /tmp/stray")
    code, failed, said = verify(project)
    assert code == 1
    assert failed == {"gpu2-backup"}, said

    run = project.deploy()
    assert run.code == 0, run.output
    assert run.lines("gpu2", "slot backup", "made again: it was changed by hand")
    assert not run.lines("gpu1", "slot backup:")
    assert verify(project)[0] == 0


SHORT_KEEP_ALIVE = """curl -s localhost:11434/api/generate -d '{"model":"general-primary","keep_alive":"24h"}'"""
# What nobody would see until the next boot, or the next idle hour; each with the id of the test that finds it.
QUIET = {
    "gpu2-unit": "systemctl disable ollama",
    "gpu2-warm_up": "systemctl disable --now ollama-warmup",
    "gpu2-coding-primary": f"kill -9 $({holds('{coding-primary}')})",
    "gpu2-general-primary": SHORT_KEEP_ALIVE,
    "gpu2-backup": "rm /var/lib/ollama-slots/backup.slot",
    "gpu2-experimental": "sed -i /num_ctx/d /etc/ollama/modelfiles/experimental.Modelfile",
}


def test_quiet_damage_is_found_and_repaired(project: Project, gpu2: Host) -> None:
    for command in QUIET.values():
        gpu2.run(command.replace("{coding-primary}", gpu2.weights("coding-primary")), check=False)
    code, failed, said = verify(project)
    assert code == 1
    assert failed == set(QUIET), said
    run = project.deploy()
    assert run.code == 0, run.output
    code, failed, said = verify(project)
    assert code == 0, said
    assert project.deploy().changes == 0


def test_a_system_prompt_can_change_again_and_again(project: Project, gpu1: Host) -> None:
    process = gpu1.out(holds(gpu1.weights("coding-primary")))
    for prompt in ("Be brief.", "Be kind.", "Be exact."):
        run = project.deploy(f"slot1_system={prompt}")
        assert run.code == 0, run.output
        assert project.deploy(f"slot1_system={prompt}").changes == 0
    assert gpu1.out(holds(gpu1.weights("coding-primary"))) == process, "the weights were never reloaded"

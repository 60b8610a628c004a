"""Installed from a wheel, in a project of three files, it does what it does in the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.access import SSH_CONFIG
from tests.lab.conftest import SLOT4
from tests.lab.fleet import ROOT, SLOTS, Host, Run, model

INVENTORY = f"""\
gpus = ["gpu1", "gpu2"], {{"ssh_config_file": {str(SSH_CONFIG)!r}, "pull_insecure": True, "slot3_num_ctx": 4096}}
"""
DEPLOY = "from ollama_slots.deploys import slots\n\nslots()\n"
MODELS = {
    "slot1_coding": model("smollm2-coder:135m"),
    "slot2_general": model("smollm2-chat:135m"),
    "slot3_backup": model("smollm2:135m"),
}
THEIRS = "#!/bin/sh\ntouch /var/tmp/theirs\n"


@dataclass
class Installed:
    """A project whose Python has the package from a wheel alone."""

    path: Path
    site: Path

    def run(self, *command: str) -> Run:
        """Runs its Python."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": str(self.site)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return Run(done.returncode, done.stdout)

    def deploy(self, option: str) -> Run:
        return self.run("-m", "pyinfra", "inventory.py", "deploy.py", option, "--data", SLOT4)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    dist, site, path = (tmp_path_factory.mktemp(it) for it in ("dist", "site", "project"))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = dist.iterdir()
    # All that it depends on is here; it is the package itself that has to come from the wheel.
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=120)
    (path / "inventory.py").write_text(INVENTORY)
    (path / "deploy.py").write_text(DEPLOY)
    (path / "model_selection.json").write_text(json.dumps(MODELS))
    (path / "templates").mkdir()
    (path / "templates" / "ollama-warmup.sh.j2").write_text(THEIRS)
    return Installed(path, site)


def test_a_project_of_three_files_is_deployed_verified_and_nothing_of_it_runs_as_root(
    installed: Installed, gpu1: Host, gpu2: Host
) -> None:
    where = installed.run("-c", "import ollama_slots; print(ollama_slots.__file__)")
    assert where.output.startswith(str(installed.site))
    planned = installed.deploy("--dry")
    assert planned.lines("slot coding-primary")
    installed.deploy("-y")
    for host in (gpu1, gpu2):
        assert host.resident(*SLOTS)
        assert host.parent("general-primary") == MODELS["slot2_general"]
        assert host.run("ls /var/tmp/theirs", check=False).returncode != 0
    assert installed.deploy("-y").changes == 0
    verify = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "ollama_slots.verify")
    assert installed.run(*verify, "--inventory", "inventory.py").lines(" passed")

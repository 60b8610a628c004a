"""The tools side by side: each command, and whether what it says of itself is what it should have done."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.fleet import Project, Run
from tests.performance.declared import PLAYBOOK, Job, addresses, bare, playbook, project, ssh_config
from tests.performance.measured import Measured, measured
from tests.performance.relay import relayed

OURS, ANSIBLE, BARE, FLOOR = "ours", "Ansible", "bare", "floor"
RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)


@dataclass(frozen=True)
class Tools:
    """The tools on some hosts, all with the same job and the same way to the hosts."""

    path: Path  # a directory of theirs
    names: list[str]
    config: Path  # an ssh_config
    job: Job
    project: Project

    def ours(self, second: bool = False) -> Measured:
        """Deploys the project.

        + second: slot 1 holds the second of the job's models
        """
        data = f"slot1_model={self.job.slot1[second]}"
        return measured(self.project.command("-y", "--data", data), self.project.path)

    def ansible(self, second: bool = False) -> Measured:
        """Runs the playbook, with a process for each host. Its connections are closed after it."""
        variables = f"@{self.path}/slots-{int(second)}.json"
        environment = {
            "ANSIBLE_CONFIG": str(PLAYBOOK / "ansible.cfg"),
            "ANSIBLE_FORKS": str(len(self.names)),
            "ANSIBLE_SSH_ARGS": f"-F {self.config} -o ControlMaster=auto -o ControlPersist=60s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.path / "c"),
        }
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [program, "-i", "hosts", "-u", "root", "-e", variables, str(PLAYBOOK / "site.yml")]
        run = measured(command, self.path, environment)
        for socket in (self.path / "c").glob("gpu*"):
            subprocess.run(["ssh", "-O", "exit", "-S", str(socket), socket.name], capture_output=True, check=False)
        return run

    def floor(self) -> Measured:
        """Has pyinfra run ``true`` on every host: what it cannot do without."""
        command = [sys.executable, "-m", "pyinfra", "inventory.py", "exec", "-y", "--", "true"]
        return measured(command, self.project.path)

    def bare(self, second: bool = False) -> Measured:
        """Runs a shell script on every host, all at once, as somebody who knows them would write it."""
        ssh = f"ssh -F {self.config} -o ControlPath=none"
        script = self.path / f"bare-{int(second)}.sh"
        each = "".join(f'{ssh} {name} sh -s <{script} & all="$all $!"; ' for name in self.names)
        return measured(["sh", "-c", f"all=; {each}for it in $all; do wait $it || exit; done"], self.path)

    def run(self, tool: str, second: bool = False) -> Measured:
        """Deploys with one of the tools."""
        return {OURS: self.ours, ANSIBLE: self.ansible, BARE: self.bare}[tool](second)


def changes(tool: str, run: Measured, names: list[str]) -> int:
    """How many things a run changed on all hosts, by its own words. Raises AssertionError if it failed on one."""
    assert run.code == 0, f"{tool}: exit {run.code}:\n{run.output[-6000:]}"
    if tool == OURS:
        return Run(run.code, run.output).changes
    if tool == BARE:
        return len(re.findall(r"^made and loaded ", run.output, re.M))
    recap = {
        name: (int(changed), int(gone) + int(failed)) for name, changed, gone, failed in RECAP.findall(run.output)
    }
    assert recap.keys() == set(names), f"{tool}: did not come to every host:\n{run.output[-6000:]}"
    assert not any(bad for _, bad in recap.values()), f"{tool}: failed on a host:\n{run.output[-6000:]}"
    return sum(changed for changed, _ in recap.values())


@contextmanager
def tools(names: list[str], round_trip: float, job: Job) -> Iterator[Tools]:
    """The tools for the time of the ``with``, with a line to each host.

    + round_trip: what the line adds, in seconds
    """
    # Not pytest's or this project's directory: the sockets of ssh masters need a short path.
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as directory,
        relayed(addresses(names), 22, round_trip) as ports,
    ):
        path = Path(directory)
        (path / "ours").mkdir()
        config = ssh_config(names, ports, path)
        playbook(path, names, job)
        bare(path, job)
        yield Tools(path, names, config, job, project(path / "ours", names, config, job))

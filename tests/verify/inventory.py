"""What is asked for: the hosts and data that a deploy reads, by way of pyinfra itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfra.api.exceptions import PyinfraError

from ollama_slots.settings import Settings

# pyinfra's connection data, and what OpenSSH calls the same.
SSH_OPTIONS = {
    "ssh_hostname": "HostName",
    "ssh_port": "Port",
    "ssh_user": "User",
    "ssh_key": "IdentityFile",
    "ssh_known_hosts_file": "UserKnownHostsFile",
}


@dataclass(frozen=True)
class Declared:
    """A host of the inventory, its data merged as a deploy merges them, and read as a deploy reads them."""

    name: str
    data: Mapping[str, Any]
    settings: Settings


def declared(root: Path, inventory: str) -> list[Declared]:
    """The hosts of an inventory file.

    + root: the project's, whose group_data counts
    + inventory: the file, as pyinfra takes it

    Raises ValueError with one line where there are none, or where their data are not what a deploy takes.
    """
    command = [sys.executable, "-m", "pyinfra", inventory, "debug-inventory", "--json"]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    # An inventory that is not there is an empty list and exit status 0 to pyinfra; to a check it is a failure.
    hosts = json.loads(ran.stdout) if ran.returncode == 0 and ran.stdout.startswith("[") else []
    if not hosts:
        said = [line.strip() for line in ran.stderr.splitlines() if line.strip() and "--> " not in line]
        raise ValueError(f"{inventory}: expected hosts, found none. {' '.join(said)}")
    try:
        return [Declared(it["name"], it["data"], Settings.of(it["name"], it["data"])) for it in hosts]
    except PyinfraError as error:
        raise ValueError(str(error)) from None


def ssh_config(host: Declared, root: Path, sockets: Path) -> str:
    """An ssh_config for one host: the user's own, with one connection for all that is asked of the host.

    + host: whose connection data count before the file that they name
    + root: what a relative ssh_config_file is relative to
    + sockets: a directory for the shared connection, with a short path (a socket's may have 100 bytes)

    Host keys are checked whatever the user's file says. That file may have no ControlPath, and testinfra's
    own options alone would make a connection for each command.
    """
    own = host.data.get("ssh_config_file")
    # With -F, ssh reads neither of its default files.
    files = [root / Path(own).expanduser()] if own else [Path("~/.ssh/config"), Path("/etc/ssh/ssh_config")]
    options = [f'    {option} "{host.data[key]}"' for key, option in SSH_OPTIONS.items() if key in host.data]
    return "\n".join(
        [
            # A jump host in the user's file gets none of these.
            f"Host {ssh_name(host)}",
            *options,
            "Host *",
            "    StrictHostKeyChecking yes",
            "    BatchMode yes",
            f"    ControlPath {sockets}/%C",
            "    ServerAliveInterval 15",
            *(f'Include "{file}"' for file in files),
            "",
        ]
    )


def ssh_name(host: Declared) -> str:
    """What ssh is to call a host: ``@ssh/NAME`` is pyinfra's long form of ``NAME``."""
    return host.name.removeprefix("@ssh/")

"""The way into the hosts: one key that opens them all, their host keys, and an ssh_config with both."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from lab.machine import RUN, STATE, run

KEY = STATE / "id_ed25519"
KNOWN_HOSTS = STATE / "known_hosts"
SSH_CONFIG = STATE / "ssh_config"
# Masters are not kept in .lab: its path may be too long for a socket, and any checkout must find them.
SSH_CONFIG_HOST = """\
Host {name}
    HostName {address}
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts}
    StrictHostKeyChecking yes
    ConnectTimeout 10
    ControlMaster auto
    ControlPath {master}
    ControlPersist 60

"""


def create() -> None:
    """Makes the key anew, and lets ssh know no host."""
    generate_key(KEY)
    KNOWN_HOSTS.write_text("")
    SSH_CONFIG.write_text("")


def add(name: str, address: str, host_key: Path) -> None:
    """Lets ssh know a host by its name.

    + name: of the host.
    + address: its IP address.
    + host_key: its public key.
    """
    key_type, key, _ = host_key.read_text().split()
    with KNOWN_HOSTS.open("a") as file:
        file.write(f"{name},{address} {key_type} {key}\n")
    with SSH_CONFIG.open("a") as file:
        paths = {"key": KEY, "known_hosts": KNOWN_HOSTS, "master": _master(name)}
        file.write(SSH_CONFIG_HOST.format(name=name, address=address, **paths))


def generate_key(file: Path) -> None:
    """Makes an SSH key pair: the private key in the file, the public one beside it in FILE.pub."""
    file.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", file)


def ssh(name: str, command: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Runs a shell command on a host as root, over a connection of its own.

    + timeout: in seconds; subprocess.TimeoutExpired beyond.
    """
    own = ["-o", "ControlPath=none", "-o", "ConnectTimeout=2", "-o", "BatchMode=yes"]
    return subprocess.run(
        ["ssh", "-F", str(SSH_CONFIG), *own, name, command],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def close(name: str) -> None:
    """Ends the ssh master of a host, if there is one: the next ssh would wait for an answer from the dead."""
    end = ["ssh", "-O", "exit", "-S", str(_master(name)), name]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(end, check=False, capture_output=True, timeout=5)


def _master(name: str) -> Path:
    return RUN / f"{name}.sock"

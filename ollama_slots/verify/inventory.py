"""Write an ssh_config for each host of an inventory."""

from __future__ import annotations

from pathlib import Path

from ollama_slots.run.inventory import Declared

# pyinfra's connection data, and what OpenSSH calls the same.
SSH_OPTIONS = {
    "ssh_port": "Port",
    "ssh_user": "User",
    "ssh_key": "IdentityFile",
    "ssh_known_hosts_file": "UserKnownHostsFile",
}


def ssh_config(host: Declared, root: Path, sockets: Path) -> str:
    """Return an ssh_config for one host: the user's own, with one connection for all that is asked of the host.

    + host: whose connection data count before the file that they name
    + root: what a relative ssh_config_file is relative to
    + sockets: a directory for the shared connection, with a short path (a socket's may have 100 bytes)

    Host keys are checked whatever the user's file says. That file may have no ControlPath, and testinfra's
    own options alone would make a connection for each command.
    """
    own = host.data.get("ssh_config_file")
    # With -F, ssh reads neither of its default files.
    files = [root / Path(own).expanduser()] if own else [Path("~/.ssh/config"), Path("/etc/ssh/ssh_config")]
    options = [
        f'    {option} "{host.data[key]}"'
        for key, option in SSH_OPTIONS.items()
        if host.data.get(key) is not None  # to pyinfra, None is not said
    ]
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
    """Return what ssh is to call a host: its ssh_hostname, which the user's file may say more of, as to pyinfra.

    Else its name; ``@ssh/NAME`` is pyinfra's long form of ``NAME``.
    """
    return str(host.data.get("ssh_hostname") or host.name.removeprefix("@ssh/"))


def ssh_url(host: Declared) -> str:
    """Return the URL of a host for testinfra, to which what follows a colon is a port but in brackets."""
    name = ssh_name(host)
    return f"ssh://[{name}]" if name.count(":") > 1 else f"ssh://{name}"

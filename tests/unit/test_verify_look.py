"""How a verification asks a host: in any login shell, and past what a login prints."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import testinfra

from ollama_slots.run.inventory import Declared
from ollama_slots.verify.inventory import SSH_OPTIONS, ssh_config, ssh_name, ssh_url
from ollama_slots.verify.look import own, whole
from tests.unit.declared import declared


@pytest.mark.parametrize("shell", ["dash", "bash", "fish", "tcsh", "ksh"])
@pytest.mark.parametrize("sudo", [False, True])
def test_a_command_says_the_same_in_every_login_shell(shell: str, sudo: bool) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not there")
    odd = "a'b\\\\c\\'d !x $HOME `id` \"%s\" \n é\\"
    sent = whole("printf '%%s\\n' %s; echo to stderr >&2; exit 3", odd)
    if sudo:  # as testinfra has it
        sent = f"env /bin/sh -c {shlex.quote(sent)}"
    ran = subprocess.run([shell, "-c", sent], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert own(f"Welcome\n{ran.stdout}bye\n") == own(ran.stdout)
    assert (own(ran.stdout) or "").strip() == f"{odd}\nto stderr".strip()


def test_a_command_without_arguments_is_sent_as_it_is() -> None:
    ran = subprocess.run(["sh", "-c", whole("printf '100%%\\n'")], capture_output=True, text=True, check=True)
    assert (own(ran.stdout) or "").strip() == "100%"


def test_what_is_no_line_of_a_command_is_none() -> None:
    assert own("Welcome\n") is None
    ran = subprocess.run(
        ["sh", "-c", f"echo Welcome; {whole('true')}"], capture_output=True, text=True, check=True
    )
    assert (own(ran.stdout) or "").strip() == ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "192.0.2.7"),
        ({"ssh_hostname": "other"}, "192.0.2.8"),  # a name of the user's file, as to pyinfra
        ({"ssh_hostname": "192.0.2.9"}, "192.0.2.9"),
    ],
)
def test_ssh_goes_where_pyinfra_goes(tmp_path: Path, data: dict[str, Any], expected: str) -> None:
    """As the user's file has it: the name, or else ssh_hostname, may be an alias there."""
    own = tmp_path / "own"
    own.write_text("Host gpu\n    HostName 192.0.2.7\nHost other\n    HostName 192.0.2.8\n")
    host = Declared("gpu", {"ssh_config_file": str(own), "ssh_port": 2222, **data}, declared("a:1b"))
    (tmp_path / "config").write_text(ssh_config(host, tmp_path, tmp_path))
    asked = ["ssh", "-G", "-F", str(tmp_path / "config"), ssh_name(host)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {f"hostname {expected}", "port 2222"} <= set(said)


@pytest.mark.parametrize("name", ["gpu1", "192.0.2.7", "::1", "fd00::5", "fe80::5%eth0", "gpu1.example.com"])
def test_an_address_is_no_host_and_port(tmp_path: Path, name: str) -> None:
    host = Declared("gpu", {"ssh_hostname": name}, declared("a:1b"))
    backend = testinfra.get_host(ssh_url(host)).backend
    assert (backend.host.name, backend.host.port) == (name, None)
    (tmp_path / "config").write_text(ssh_config(host, tmp_path, tmp_path))
    asked = ["ssh", "-G", "-F", str(tmp_path / "config"), ssh_name(host)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert f"hostname {name}" in said


def test_what_an_inventory_gives_as_none_is_not_said(tmp_path: Path) -> None:
    none = dict.fromkeys(["ssh_hostname", "ssh_config_file", *SSH_OPTIONS])
    host = Declared("gpu", none, declared("a:1b"))
    assert ssh_config(host, tmp_path, tmp_path) == ssh_config(
        Declared("gpu", {}, host.settings), tmp_path, tmp_path
    )

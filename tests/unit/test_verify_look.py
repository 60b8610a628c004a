"""How a verification asks a host: in any login shell, and past what a login prints."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from ollama_slots.verify.look import own, whole


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

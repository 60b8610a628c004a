"""A command is the same to every login shell, and of what comes back only a script's own lines are read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pyinfra.api import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.connectors.util import make_unix_command

from ollama_slots.facts import HostObserved, HostStored, ModelDetails, SlotSpeeds
from ollama_slots.host import output, scripts
from ollama_slots.host.stored import parse_stored
from tests.unit.complaint import complaint
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.seam import marked, sent
from tests.unit.host.slots import holds

SHELLS = ["dash", "bash", "fish", "tcsh", "csh", "ksh", "zsh"]
HOSTILE = "\\1'7!0 a'b\\\\c\\'d\\n!x !! $HOME `id` \"$(id)\" %s\n\n\t~ {a,b} * ? [x] ; & | < > # é\\"
AS: list[dict[str, object]] = [{}, {"_sudo": True, "_sudo_user": "x"}, {"_su_user": "x"}]
# Of a command, what it came to; sudo and su do as they do, whoever it is.
SH = """#!/bin/dash
case $# in 2) exec /bin/dash "$@" ;; esac
printf '%s\\0' "$@"
"""
OTHER_USER = """#!/bin/dash
while [ "$1" != sh ]; do [ "$1" != -c ] || exec {shell} -c "$2"; shift; done
exec "$@"
"""
AB = declared("a:1b", "b:1b")
NOISE: dict[str, Callable[[list[str]], list[str]]] = {
    "a .bashrc": lambda lines: ["Welcome", *lines],
    "a message of the day": lambda lines: ["== Welcome ==", "", "7 8", "yes", "one 64 1", *lines],
    "no newline at its end": lambda lines: [f"Welcome{lines[0]}", *lines[1:]],
    "the end of a session": lambda lines: [*lines, "bye 1", "== end"],
    "a notice between": lambda lines: [it for line in lines for it in ("", "Broadcast message from root", line)],
    "a terminal": lambda lines: [f"{line}\r" for line in lines],
    "a terminal that is coloured": lambda lines: [f"\x1b]0;root@gpu\x07\x1b[?2004h{line}\r" for line in lines],
}


def commands() -> list[StringCommand]:
    given = {it: dict.fromkeys(scripts.said(it, "takes") or [], HOSTILE) for it in scripts.every()}
    every = [scripts.Script(it, arguments, (HOSTILE,)) for it, arguments in given.items()]
    return [*map(scripts.command, every), scripts.command(*every[:3])]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("given", AS, ids=str)
def test_it_comes_to_the_same_in_every_login_shell(shell: str, given: dict[str, object], tmp_path: Path) -> None:
    if not (program := shutil.which(shell)):
        pytest.skip(f"{shell} is not there")
    for name, text in (("sh", SH), *((it, OTHER_USER.format(shell=program)) for it in ("sudo", "su"))):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for command in commands():
        line = make_unix_command(command, **given).get_raw_value()
        done = subprocess.run([program, "-c", line], env=path, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert ["sh", *done.stdout.removesuffix("\0").split("\0")] == shlex.split(command.get_raw_value())


def test_nothing_is_sent_that_login_shells_do_not_agree_on() -> None:
    """Where the shells themselves are not there to be asked."""
    for command in commands():
        line = make_unix_command(command).get_raw_value()
        assert not [it for it in ("\n", "!", "\\\\", "\\'") if it in line]
        assert line.count("'") < 20, "each that was within two others would take 17 characters"


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_shell_that_runs_it_has_it_as_it_was(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not there")
    decode = [*(["busybox", "sh"] if shell == "busybox" else [shell]), "-c", scripts.DECODE, "x"]
    text = f"printf '%s\\0' {shlex.quote(HOSTILE)}"
    done = subprocess.run([*decode, scripts.escaped(text)], capture_output=True, check=True)
    assert done.stdout.decode() == f"{HOSTILE}\0"
    assert sent(scripts.escaped(HOSTILE)) == HOSTILE


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    holds(host, "one", "a:1b")
    return host


@pytest.mark.parametrize("kind", NOISE)
def test_what_is_no_line_of_a_script_is_left_out(one: DirectoryHost, kind: str) -> None:
    details, observed = ModelDetails(), HostObserved()
    for fact, command in (
        (observed, observed.command(AB)),
        (HostStored(), HostStored().command(one.unit)),
        (SlotSpeeds(), SlotSpeeds().command(one.unit, one.engine.url, 5)),
        (details, details.command(one.unit, one.engine.url, ["a:1b", "gone:1b"])),
    ):
        lines = one.perform(command).out.splitlines()
        assert fact.process(NOISE[kind](lines)) == fact.process(lines)


@pytest.mark.parametrize("output", [["Welcome"], ["", "\x1b[2J"], marked(["Welcome"]), marked(["== lacks"])])
def test_what_cannot_be_read_is_one_line(output: list[str]) -> None:
    details = ModelDetails()
    details.models = ["a:1b"]
    observed = HostObserved()
    observed.unit, observed.models = AB.ollama_unit, ()
    for fact in (observed, HostStored(), SlotSpeeds(), details):
        with pytest.raises(FactProcessError) as refusal:
            fact.process(output)
        assert f"{refusal.value}".startswith("what the host printed cannot be read: ")
        assert f"{refusal.value}".isprintable()


def test_a_script_that_fails_did_not_come_to_its_end(one: DirectoryHost) -> None:
    one.stop_engine()
    done = one.perform(HostStored().command(one.unit))
    assert done.code == 0
    assert "could not be read to their end" in complaint(parse_stored, output.own(done.out.splitlines()))

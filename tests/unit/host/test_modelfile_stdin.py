"""A Modelfile goes to host/rotate.sh on its stdin, byte by byte, by pyinfra's own ways, and on no command line."""

import os
import shlex
import shutil
import socket
import subprocess
import threading
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from pyinfra.api import QuoteString, StringCommand
from pyinfra.connectors.util import CommandOutput, make_unix_command, run_local_process, write_stdin

from ollama_slots.core.observed import Observed, SlotState
from ollama_slots.core.steps import Rotate
from ollama_slots.core.targets import Target
from ollama_slots.host import calls, scripts
from ollama_slots.run import executor
from tests.unit.declared import declared
from tests.unit.host import seam

TEXTS = [
    "FROM x\n",
    "FROM x",
    "FROM x\n\n\n",
    "FROM x\r\nSYSTEM y\r",
    'FROM x\nSYSTEM """it\'s "$HOME" `id` \\n \\"""\n',
    "模 ぁ é \U0001f600\x01\x02\x81\x88\n",
    ".\n.",
    "FROM x\n" + "x" * 80 + "\n" + "a line of text\n" * 70_000,
]


def rotation(text: str) -> Rotate:
    settings = declared("a:1b")
    state = SlotState(model="a:1b", modelfile=sha256(text.encode()).hexdigest(), base="b", weights="w", context=1)
    target = Target(settings.slots[0], "a:1b", 4096)
    flags = {"make_room": False, "unload_old": False, "alone": True, "begins": True}
    return Rotate(target, text, state, ("b",), **flags, why="made")


def command(step: Rotate, tmp_path: Path) -> StringCommand:
    """The command of a rotation that ends when the Modelfile has been compared with its digest."""
    sent = scripts.command(calls.rotate(step, declared("a:1b"), "http://127.0.0.1:1", needs_gpu=False))
    _, _, decode, zero, text = shlex.split(sent.get_raw_value())
    text = seam.sent(text)
    own = scripts.source("rotate")
    doubles = "one_at_a_time() { :; }\nuse_store() { store=/nowhere server=1; }\nsweep() { :; }"
    text = f"{text.removesuffix(own)}{doubles}\n{own}".replace("root=''", f"root={tmp_path}", 1)
    return StringCommand("sh", "-c", QuoteString(decode), zero, QuoteString(scripts.escaped(text)))


def host(tmp_path: Path) -> None:
    """Where the engine's program keeps what it is given, and fails."""
    program = tmp_path / "proc" / "1" / "exe"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\ncat >"{tmp_path}/stdin"\ncp "$4" "{tmp_path}/made"\necho no room; exit 1\n')
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "curl").write_text("#!/bin/sh\ncat >/dev/null\nexit 7\n")
    (tmp_path / "bin" / "curl").chmod(0o755)
    for name in ("etc/ollama", "var/lib", "run"):
        (tmp_path / name).mkdir(parents=True)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_it_arrives_byte_by_byte(shell: str, number: int, tmp_path: Path) -> None:
    """As the local connector sends it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not there")
    host(tmp_path)
    text = TEXTS[number]
    step = rotation(text)
    program = f"{shell} sh" if shell == "busybox" else shell
    (tmp_path / "bin" / "sh").write_text(f'#!/bin/dash\nexec {program} "$@"\n')
    (tmp_path / "bin" / "sh").chmod(0o755)
    path = f"PATH={tmp_path}/bin:{os.environ['PATH']}; export PATH; "
    sent = make_unix_command(command(step, tmp_path)).get_raw_value()
    assert len(text) < 60 or text[:60] not in sent
    code, output = run_local_process(path + sent, stdin=f"{step.modelfile}\n")
    assert code == 1, output.stderr
    assert "ollama create failed: no room" in output.stderr
    assert (tmp_path / "made").read_bytes() == text.encode()
    assert (tmp_path / "stdin").read_bytes() == b"", "nothing else reads there"


class Sshd(paramiko.ServerInterface):
    """Lets anybody in, and runs nothing: the test reads what is sent."""

    def check_auth_none(self, username: str) -> int:  # noqa: ARG002 (paramiko calls by these names)
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:  # noqa: ARG002
        return True


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_it_arrives_over_ssh(number: int) -> None:
    near, far = socket.socketpair()
    with paramiko.Transport(far) as server, paramiko.SSHClient() as client:
        server.add_server_key(paramiko.ECDSAKey.generate())
        server.start_server(threading.Event(), Sshd())
        transport = paramiko.Transport(near)
        transport.start_client(timeout=20)
        transport.auth_none("root")
        vars(client)["_transport"] = transport
        stdin, _, _ = client.exec_command("rotate")
        channel = server.accept(20)
        assert channel

        def send() -> None:
            write_stdin(f"{TEXTS[number]}\n", stdin)  # type: ignore[no-untyped-call]
            stdin.channel.shutdown_write()

        sending = threading.Thread(target=send)
        sending.start()
        arrived = b"".join(iter(lambda: channel.recv(1 << 16), b""))
        sending.join(20)
    assert arrived == f"{TEXTS[number]}\n".encode()


@pytest.mark.skipif(shutil.which("sudo") is None, reason="sudo is not there")
def test_it_arrives_through_sudo(tmp_path: Path) -> None:
    host(tmp_path)
    step = rotation(TEXTS[-1])
    sent = make_unix_command(command(step, tmp_path), _sudo=True).get_raw_value()
    run_local_process(sent, stdin=f"{step.modelfile}\n")
    assert (tmp_path / "made").read_bytes() == TEXTS[-1].encode()


def test_sudos_password_goes_another_way() -> None:
    """By a program that sudo asks, so stdin is the script's."""
    given = {"_sudo": True, "_sudo_password": "secret", "_sudo_askpass_path": "/tmp/ask"}
    sent = make_unix_command(StringCommand("cat"), **given).get_raw_value()
    assert shlex.split(sent)[-5:] == ["-A", "-k", "sh", "-c", "cat"]
    assert "|" not in sent


@pytest.mark.parametrize("arrived", ["", "FROM x", "FROM y\n", "\n"])
def test_what_did_not_arrive_as_it_was_sent_is_not_made(arrived: str, tmp_path: Path) -> None:
    host(tmp_path)
    sent = command(rotation("FROM x\n"), tmp_path).get_raw_value()
    path = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    done = subprocess.run(sent, shell=True, env=path, input=arrived, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "its Modelfile did not arrive as it was sent" in done.stderr
    assert not (tmp_path / "made").exists()


class Asked:
    """A host that is asked for a command."""

    current_op_global_arguments: ClassVar[dict[str, object]] = {"_sudo": True, "_get_pty": True, "name": "x"}

    def run_shell_command(self, command: StringCommand, **arguments: object) -> tuple[bool, CommandOutput]:
        self.command, self.arguments = command, arguments
        return True, CommandOutput([])


@pytest.mark.parametrize("text", ["FROM x", ""])
def test_a_rotation_is_given_it_and_no_terminal_that_would_change_it(text: str) -> None:
    step, asked = rotation(text), Asked()
    taken = executor.command([step], declared("a:1b"), Observed(url="http://127.0.0.1:1", has_gpu=False))
    assert taken.function(None, asked, *taken.args)
    assert asked.arguments == {"_sudo": True, "_get_pty": False, "_stdin": f"{text}\n", "print_output": True}
    assert rf"rolls_back={'no' if text else 'yes'}\n" in asked.command.get_raw_value()

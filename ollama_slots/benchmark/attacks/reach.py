"""Attacks that reach for files, the network, processes, the environment, time."""

from __future__ import annotations


def _body(*lines: str) -> str:
    """Return a program that adds if all these lines have worked."""
    within = "\n".join(f"    {line}" for line in lines)
    imports = "import importlib, os, pathlib, select, signal, socket, subprocess, sys, tempfile, threading, time"
    return f"{imports}\ndef add(a, b):\n{within}\n    return a + b\n"


REACH = {
    "reads a file": _body("assert open('/etc/passwd').read()"),
    "reads the interpreter": _body("assert open(sys.executable or '/bin/sh', 'rb').read(4)"),
    "reads its process": _body("assert open('/proc/self/cmdline', 'rb').read()"),
    "lists the root": _body("assert os.listdir('/')"),
    "lists where it is": _body("assert isinstance(os.listdir('.'), list)"),
    "looks at a file": _body("assert os.stat('/etc').st_mode"),
    "opens a directory": _body("assert os.open('/', os.O_RDONLY) >= 0"),
    "climbs out": _body("assert list(pathlib.Path('../../../../..').resolve().iterdir())"),
    "writes a file": _body("tempfile.TemporaryFile().write(b'x')"),
    "makes a directory": _body("tempfile.TemporaryDirectory().cleanup()"),
    "reads the environment": _body("assert os.environ"),
    "listens": _body("socket.socket().bind(('127.0.0.1', 0))"),
    "sends": _body("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"),
    "resolves a name": _body("assert socket.getaddrinfo('localhost', 80)"),
    "makes a pair of sockets": _body("socket.socketpair()"),
    "starts a process": _body("subprocess.run(['true'], check=True)"),
    "starts a shell": _body("assert os.system('true') == 0"),
    "spawns": _body("assert os.posix_spawn('/bin/true', ['true'], {}) > 0"),
    "forks": _body("if os.fork() == 0: os._exit(0)"),
    "becomes another program": _body("os.execv('/bin/true', ['true'])"),
    "looks for its parent": _body("os.kill(os.getppid(), 0)"),
    "starts a thread": _body("threading.Thread(target=len, args=('',)).start()"),
    "sets an alarm": _body("signal.alarm(100)", "signal.alarm(0)"),
    "calls C": _body("import ctypes", "ctypes.CDLL(None).getpid()"),
    "imports a package": _body("import pytest"),
    "makes a pipe": _body("assert os.pipe()"),
    "sleeps": _body("began = time.monotonic()", "time.sleep(0.3)", "assert time.monotonic() - began > 0.25"),
}

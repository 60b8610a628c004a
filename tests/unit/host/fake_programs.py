"""Fake programs, put first in PATH: systemctl, systemd-run, nvidia-smi, id, sync and sleep."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# What the test answers: its first line is the exit code.
ASK = """#!/bin/sh
said=$(printf '%s\\n' "$@" | curl -q -sS --noproxy '*' --data-binary @- {url}/{name})
printf '%s\\n' "$said" | tail -n +2
exit "${{said%%
*}}"
"""
SYSTEMCTL = """#!/bin/sh
# Asked so often that it is a file.
case $* in "show --property=MainPID --value "*) exec cat "{root}/main-$4" ;; esac
"""
PROGRAMS = {
    # Each wait for seconds is short: nothing else that a script waits for takes them here.
    # But that between two loads that are to come in order: there it would be a matter of luck.
    "sleep": '[ "$1" != 0.02 ] || exec /bin/sleep 0.1\nexec /bin/sleep {sleeps}',
    # The disk's own business, and no test's: a real one would have all that is written on this machine wait.
    # Its caller may die here, with all that it has started.
    "sync": """echo "$*" >>{root}/synced
[ ! -e {root}/lives ] || {{ n=$(cat {root}/lives) && echo $((n - 1)) >{root}/lives; [ "$n" -gt 0 ] || kill -9 0; }}
[ ! -e {root}/no-sync ] || {{ echo "sync: error" >&2; exit 1; }}""",
    "id": "case $1 in -u) echo 0 ;; *) echo root ;; esac",
    "nvidia-smi": """
[ -e {root}/driver ] || exit 9
case $* in
*memory*) cat {root}/driver ;;
*utilization*) cat {root}/utilization ;;
*name*) sed 's/.*/A fine GPU/' {root}/driver ;;
esac""",
    "journalctl": "[ ! -e {root}/log ] || cat {root}/log",
}


class Programs(ThreadingHTTPServer):
    """The programs of a host, and what they were called for.

    + units: by name, whose systemctl answers for it
    """

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.units: dict[str, Callable[..., tuple[int, str]]] = {}
        self.called: list[list[str]] = []
        self.write("sleep", sleeps="0.02")
        for name in ("sync", "id", "nvidia-smi", "journalctl"):
            self.write(name)
        for name in ("systemctl", "systemd-run"):
            head, ask = SYSTEMCTL.format(root=self.root) if name == "systemctl" else "#!/bin/sh\n", ASK
            url = f"http://127.0.0.1:{self.server_port}"
            self._program(name, head + ask.format(url=url, name=name).removeprefix("#!/bin/sh\n"))

    def write(self, name: str, sleeps: str = "0.02") -> None:
        self._program(name, "#!/bin/sh\n" + PROGRAMS[name].format(root=self.root, sleeps=sleeps) + "\n")

    def _program(self, name: str, text: str) -> None:
        (self.root / "bin" / name).write_text(text)
        (self.root / "bin" / name).chmod(0o755)

    def main(self, unit: str) -> Path:
        """The file with the number of a unit's main process."""
        return self.root / f"main-{unit}"

    def systemctl(self, *arguments: str) -> tuple[int, str]:
        if arguments == ("daemon-reload",):
            return 0, ""
        it = next((self.units[word] for word in arguments if word in self.units), None)
        return it(*arguments) if it else (1, f"a fake systemctl knows no unit in {arguments}")

    def answer(self, name: str, arguments: list[str]) -> tuple[int, str]:
        self.called.append([name, *arguments])
        if name == "systemctl":
            return self.systemctl(*arguments)
        command = arguments[next(i for i, it in enumerate(arguments) if not it.startswith("--")) :]
        if command[0] == "systemctl":  # by a timer
            return self.systemctl(*command[1:])
        path = f"{self.root}/bin:/usr/bin:/bin"
        try:
            done = subprocess.run(command, env={"PATH": path}, timeout=1, check=False)
        except subprocess.TimeoutExpired:  # RuntimeMaxSec=
            return 1, ""
        return done.returncode, ""


class _Handler(BaseHTTPRequestHandler):
    server: Programs

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        arguments = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        code, text = self.server.answer(self.path.strip("/"), arguments)
        body = f"{code}\n{text}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

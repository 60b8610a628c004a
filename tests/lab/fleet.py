"""The lab's hosts seen from outside: by ssh, systemctl and Ollama's own API; and the product's commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SSH_CONFIG = ROOT / ".lab" / "ssh_config"
REGISTRY = "10.79.0.1:5000/lab"
LOCK = "/run/ollama-slots.lock"
STORE = "/usr/share/ollama/.ollama/models"
# For a killed Ollama to answer again: systemd gives a runner that does not end 90 s (seen).
BACK_SECONDS = 180
# The weights that processes hold.
# A runner has its weights' file on the command line; the digest alone is on that of a look, which looks for it.
IN_MEMORY = r"grep -aohP -- '--model\0/[^\0]*/\Ksha256-[0-9a-f]{64}' /proc/[0-9]*/cmdline 2>/dev/null; true"
SLOTS = ("coding-primary", "general-primary", "backup", "experimental")


def model(name: str) -> str:
    """A model of the lab's registry by its short name."""
    return f"{REGISTRY}/{name}"


def until(what: str, true: Callable[[], Any], seconds: float = 60, every: float = 0.2) -> float:
    """Waits, bounded, until something is true; the seconds that it took.

    + every: seconds between two looks; each by ssh takes some 30 ms of the processor that all hosts share
    """
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(every)
    return time.monotonic() - start


def catch(what: str, true: Callable[[], Any]) -> float:
    """Waits, bounded, for a moment that does not last; the seconds that it took."""
    return until(what, true, every=0.05)


def listens(address: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def holds(weights: str) -> str:
    """What finds the process that holds weights: none that looks for them or reads them ahead, nor its shell."""
    return f'pgrep -f -- "--model .*[s]ha256-{weights}"'


@dataclass(frozen=True)
class Host:
    """One of the lab's hosts."""

    name: str

    def run(self, command: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a shell command on the host."""
        done = subprocess.run(
            ["ssh", "-F", str(SSH_CONFIG), self.name, command],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {command}: {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def out(self, command: str) -> str:
        """What a command prints."""
        return self.run(command).stdout.strip()

    def api(
        self, path: str, body: dict[str, Any] | None = None, method: str = "", url: str = "http://127.0.0.1:11434"
    ) -> dict[str, Any]:
        """An answer of Ollama's API, asked on the host."""
        data = f" -d '{json.dumps(body)}'" if body else ""
        method = f" -X {method}" if method else ""
        answer = self.out(f"curl -sS --max-time 120{method}{data} {url}{path}")
        return dict(json.loads(answer)) if answer else {}

    def tags(self) -> dict[str, dict[str, Any]]:
        """/api/tags by name."""
        return {it["name"]: it for it in self.api("/api/tags")["models"]}

    def made(self) -> dict[str, str]:
        """The digest of each name. (When it was made is not to be compared over a restart: the engine's list keeps
        the time of a manifest that was since replaced by the same one.)"""
        return {name: it["digest"] for name, it in self.tags().items()}

    def ps(self) -> dict[str, dict[str, Any]]:
        """/api/ps by digest."""
        return {it["digest"]: it for it in self.api("/api/ps")["models"]}

    def shown(self, name: str) -> tuple[str, str]:
        """The blob that a model runs on; nothing, and what Ollama says instead, as where its weights are lost."""
        said = self.api("/api/show", {"model": name})
        found = re.search(r"^FROM .*sha256-([0-9a-f]{64})$", said.get("modelfile", ""), re.M)
        return found[1] if found else "", str(said)[:200]

    def weights(self, name: str) -> str:
        """The blob that a model runs on."""
        found, said = self.shown(name)
        assert found, f"{self.name}: {name} has no weights: {said}"
        return found

    def parent(self, name: str) -> str:
        """The base that a variant was made of."""
        return str(self.api("/api/show", {"model": name})["details"]["parent_model"])

    def resident(self, *slots: str) -> bool:
        """Whether processes hold these slots' weights: /api/ps shows the digest of whatever name loaded them."""
        # By one command, for this is what is waited for.
        show = "curl -sS --max-time 120 http://127.0.0.1:11434/api/show"
        shows = "; ".join(f"""{show} -d '{{"model":"{it}:latest"}}'; echo""" for it in slots)
        shown, _, held = self.out(f"{shows}; echo; {IN_MEMORY}").partition("\n\n")
        found = [re.search(r"\\nFROM [^\\]*(sha256-[0-9a-f]{64})", line) for line in shown.splitlines()]
        return len(found) == len(slots) and all(it and it[1] in held for it in found)

    def listed(self, *slots: str) -> bool:
        """Whether /api/ps lists these slots' very digests, as after a start: their own names loaded them."""
        tags, ps = self.tags(), self.ps()
        return all(f"{slot}:latest" in tags and tags[f"{slot}:latest"]["digest"] in ps for slot in slots)

    def in_memory(self) -> set[str]:
        """The weights that processes hold."""
        return {line.removeprefix("sha256-") for line in self.out(IN_MEMORY).split()}

    def runners(self) -> set[str]:
        """The ids of the processes that hold weights."""
        return set(self.run("pgrep -f -- '--model /.*/sha256-[0-9a-f]{64}'", check=False).stdout.split())

    def answers(self, name: str) -> bool:
        """Whether a model answers one token."""
        request = {"model": name, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
        return bool(self.api("/api/generate", request).get("done"))

    def unload(self, name: str) -> None:
        """Stops a model and waits until it is gone; right after an answer the engine may lose the request."""
        digest = self.tags()[name if ":" in name.rpartition("/")[2] else f"{name}:latest"]["digest"]
        until(f"{name} is unloaded", lambda: self.run(f"ollama stop {name}") and digest not in self.ps())

    def active(self, unit: str) -> str:
        """A unit's state."""
        return self.run(f"systemctl is-active {unit}", check=False).stdout.strip()

    def warmed_up(self, warm_up: str = "ollama-warmup") -> str:
        """Waits, bounded, until a warm-up is over; its unit's state."""
        until(f"{warm_up} is over", lambda: self.active(warm_up) in ("active", "failed"), 120)
        return self.active(warm_up)

    def held(self) -> bool:
        """Whether somebody is changing this host."""
        return self.run(f"flock -s -n {LOCK} true", check=False).returncode == 1

    def rotating(self) -> bool:
        """Whether a rotation is under way: a pull that is being recorded holds the lock, too."""
        held = f"! flock -s -n {LOCK} true && grep -q rotation {LOCK}"
        return self.run(held, check=False).returncode == 0

    def journal(self, unit: str, since: str) -> str:
        """What a unit said since a moment that ``now`` gave."""
        return self.out(f"journalctl --sync; journalctl -u {unit} -o cat --no-pager --after-cursor='{since}'")

    def now(self) -> str:
        """The end of the host's journal as it is, for ``journal``."""
        return self.out("journalctl --sync; journalctl -n 1 -o cat --show-cursor | sed -n 's/^-- cursor: //p'")


@dataclass(frozen=True)
class Run:
    """A command of the project that has ended."""

    code: int
    output: str

    def lines(self, *words: str) -> list[str]:
        """The lines that have all these words."""
        return [line for line in self.output.splitlines() if all(word in line for word in words)]

    @property
    def changes(self) -> int:
        """Operations that changed something, over all hosts; -1 where there is no result table."""
        total = re.search(r"Grand total +\d+ +(\d+|-)", self.output)
        return -1 if not total else 0 if total[1] == "-" else int(total[1])


class Running(subprocess.Popen[str]):
    """A command of the project that has begun; what it says can be read meanwhile."""

    def __init__(self, command: list[str], directory: Path) -> None:
        """Starts it in a directory."""
        # A file: it never waits for a reader, and whoever looks takes nothing away.
        with tempfile.NamedTemporaryFile("w", prefix="said-", dir=directory, delete=False) as file:
            self.file = Path(file.name)
            super().__init__(
                command, cwd=directory, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
            )

    def said(self) -> str:
        """All that it has said by now."""
        return self.file.read_text()

    def until_said(self, words: str) -> None:
        """Waits, bounded, until it says this."""
        catch(f"the command says {words!r}", lambda: words in self.said() or self.poll() is not None)
        assert words in self.said(), self.said()

    def ended(self, seconds: float) -> Run:
        """Waits, bounded, for its end."""
        return Run(self.wait(seconds), self.said())


class Project:
    """A copy of the project, with data of its own to change; what is not data is shared with the tree."""

    def __init__(self, path: Path, hosts: tuple[str, ...] = ("gpu1", "gpu2")) -> None:
        """Lays the copy out in an empty directory, with these hosts in its inventory."""
        self.path = path
        for name in ("deploy.py", "tasks", "templates", "ollama_slots", ".lab"):
            (path / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "group_data", path / "group_data", ignore=shutil.ignore_patterns("__pycache__"))
        with (path / "group_data" / "lab.py").open("a") as data:
            data.write('\nwatch = "off"\n')  # what a test breaks stays so, but for those of the watch
        (path / "inventory.py").write_text(f"lab = {[*hosts]}\n")
        (path / "lab").mkdir()
        shutil.copy(ROOT / "lab" / "model_selection.json", path / "lab")

    @property
    def selection(self) -> Path:
        """The selection file of the lab's hosts."""
        return self.path / "lab" / "model_selection.json"

    def select(self, **slots: str | None) -> None:
        """Changes keys of the selection file."""
        content = json.loads(self.selection.read_text())
        self.selection.write_text(json.dumps({**content, **slots}))

    def command(self, *arguments: str, tasks: str = "deploy.py") -> list[str]:
        """The command line of a run."""
        return [sys.executable, "-m", "pyinfra", "inventory.py", tasks, *arguments]

    def start(self, *arguments: str, tasks: str = "deploy.py") -> Running:
        """Starts a deploy, or another task, that the caller ends."""
        return Running(self.command("-y", *arguments, tasks=tasks), self.path)

    def deploy(self, *data: str, tasks: str = "deploy.py", options: tuple[str, ...] = ("-y",)) -> Run:
        """Runs pyinfra; ``data`` are KEY=VALUE of --data."""
        arguments = [*options, *(word for it in data for word in ("--data", it))]
        return self.run(self.command(*arguments, tasks=tasks))

    def verify(self) -> tuple[int, set[str], str]:
        """Runs the suite for users' hosts; its exit code, the ids of what failed, and what it printed."""
        run = self.run([sys.executable, "-m", "pytest", "-q", "--pyargs", "ollama_slots.verify"])
        return (
            run.code,
            set(re.findall(r"^(?:FAILED|ERROR) \S+\[([^\]]+)\]", run.output, re.MULTILINE)),
            run.output,
        )

    def run(self, command: list[str], timeout: float = 600) -> Run:
        """Runs a command in the copy to its end."""
        done = subprocess.run(
            command,
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "PYINFRA_PROGRESS": "off"},
        )
        return Run(done.returncode, done.stdout)

"""A directory that is a host: Ollama and its runners in a fake /proc, systemd and the driver as fake programs.

The scripts of host/ run in it as they are, by the real sh, curl, flock and so on, and need no rights.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfra.api import StringCommand

from ollama_slots.core import units
from ollama_slots.core.details import Details
from ollama_slots.core.observed import Observed
from ollama_slots.core.plan import questions, settled, steps
from ollama_slots.core.residency import fault
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Step
from ollama_slots.core.stored import Stored
from ollama_slots.facts import HostObserved, HostStored, ModelDetails
from ollama_slots.host import render, scripts
from ollama_slots.run.executor import command
from tests.unit.host.engine import FakeEngine
from tests.unit.host.fake_programs import Programs
from tests.unit.host.fake_runners import FakeProc
from tests.unit.host.seam import script, words
from tests.unit.host.serving import serving
from tests.unit.written import warm_up_files, watch_files

# By which the engine's own program is what the scripts call it for.
CREATE = """#!/bin/sh
[ "$1" = create ] && [ "$3" = -f ] || exit 2
said=$(curl -q -sS --noproxy '*' -w '\\n%{http_code}' --data-binary "@$4" "$OLLAMA_HOST/create?$2") || exit 1
case $said in *200) echo success && exit ;; esac
{ echo gathering model components && printf '%s\\n' "$said" | sed 's/{"error":"\\(.*\\)"}/Error: \\1/;q'; } >&2
exit 1
"""
NO_UNIT = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}
SOCKET = 7777
SOCKETS = f"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1
   1: 0100007F:{{:04X}} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {SOCKET} 1
"""


@dataclass(frozen=True)
class Done:
    """What a script came to."""

    code: int
    out: str
    err: str


class DirectoryHost:
    """A host with a fake engine that runs.

    + root: the directory, below which everything is
    + version: of Ollama
    + unit: of Ollama
    + beside: the same host with another Ollama; None: this is its first
    """

    def __init__(
        self,
        root: Path,
        version: str,
        stack: ExitStack,
        unit: str = units.DEFAULT,
        beside: DirectoryHost | None = None,
    ) -> None:
        self.root, self.unit = root, unit
        self.warm_up_name, self.paths = units.warm_up(unit), scripts.paths(unit=unit)
        self.user: int | None = None  # whose the scripts run as; None: the test's own
        for directory in ("run/systemd/system", "etc", "usr/local/lib", "tmp", "bin"):
            (root / directory).mkdir(parents=True, exist_ok=beside is not None)
        stem = self.paths["stem"]
        self.metrics = root / f"var/lib/{stem}-warmup/{stem}-slots.prom"
        self.metrics.parent.mkdir(parents=True)
        self.home = root / f"usr/share/{stem}"
        self.store = self.home / ".ollama/models"
        self.proc: FakeProc = beside.proc if beside else FakeProc(root / "proc")
        self.engine = FakeEngine(self.store, version, proc=self.proc)
        self.programs: Programs = beside.programs if beside else Programs(root)
        own = (unit, self.warm_up_name, *(self.paths[it] for it in ("watch_timer", "watcher", "healer")))
        self.programs.units |= dict.fromkeys(own, self.systemctl)
        for running in (self.engine.serving(), *([] if beside else [serving(self.programs)])):
            stack.enter_context(running)
        (root / "usr/local/lib/ollama").write_text(CREATE)
        (root / "usr/local/lib/ollama").chmod(0o755)
        self.environ: dict[str, str] = {}
        self.umask = 0o022
        self.shown = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
        self.warm_up_state = {"ActiveState": "active", "UnitFileState": "enabled"}
        self.watch_timer_state = NO_UNIT
        self.heals_begun, self.heal_failed, self.look_fails = 0, False, False
        self.watcher_state = "inactive"
        self.at_look: Callable[[], object] = lambda: None
        self.main = 0
        self.running = 0  # the script that runs
        self.journal: list[str] = []  # what the warm-up unit said
        self.start_engine()

    # What systemd does.

    def start_engine(self) -> None:
        """Ollama's process, which listens."""
        engine = self.engine
        self.main = pid = self.proc.start("/usr/local/bin/ollama", "serve")
        here = self.proc.path / str(pid)
        environ = {
            "HOME": str(self.home),
            "OLLAMA_KEEP_ALIVE": str(engine.keep_alive),
            "OLLAMA_MAX_LOADED_MODELS": str(engine.runners.most),
            **self.environ,
        }
        (here / "environ").write_text("".join(f"{key}={value}\0" for key, value in environ.items()))
        (here / "exe").symlink_to(self.root / "usr/local/lib/ollama")
        (here / "root").symlink_to("/")
        (here / "cwd").symlink_to("/")
        (here / "fd/3").symlink_to(f"socket:[{SOCKET}]")
        (here / "net").mkdir()
        (here / "net/tcp").write_text(SOCKETS.format(engine.server_port))
        engine.down = False
        engine.runners.parent = pid
        self.programs.main(self.unit).write_text(f"{pid}\n")

    def stop_engine(self) -> None:
        """It ends, and its runners with it."""
        self.engine.down = True
        self.engine.forget()
        self.proc.end(self.main)
        self.programs.main(self.unit).write_text("0\n")

    def restart(self) -> None:
        self.stop_engine()
        self.start_engine()

    def systemctl(self, *arguments: str) -> tuple[int, str]:
        """What systemctl does and says; its exit code first."""
        if known := self._of_the_watch(arguments):
            return known
        if arguments[0] == "show":
            main = self.programs.main(self.unit).read_text().strip()
            unit = {"Id": self.unit, "MainPID": main, **self.shown}
            other = {"MainPID": "0", "Id": self.warm_up_name, **self.warm_up_state}
            timer = {"Id": self.paths["watch_timer"], **self.watch_timer_state}
            watcher = {"Id": self.paths["watcher"], "ActiveState": self.watcher_state}
            all_of_them = (unit, other, timer, watcher)
            blocks = ["\n".join(f"{key}={value}" for key, value in it.items()) for it in all_of_them]
            return 0, "\n\n".join(blocks)
        if arguments == ("start", self.unit):
            return 0, ""
        if arguments[:-1] == ("enable", "--quiet") and arguments[-1] in {self.unit, self.warm_up_name}:
            return 0, ""
        if arguments == ("restart", self.unit):
            self.restart()
            return 0, ""
        if arguments == ("restart", self.warm_up_name):
            return int(not self.warm_up_unit("")), ""
        if arguments[0] == "is-active":
            active = self.warm_up_state["ActiveState"] == "active"
            return (0 if active else 3), ""
        if arguments[0] == "status":
            return 3, "\n".join(self.journal)
        return 1, f"a fake systemctl does not know {arguments}"

    def _of_the_watch(self, arguments: tuple[str, ...]) -> tuple[int, str] | None:
        """What systemctl says of the watch's units, and for the watch."""
        if arguments[:2] == ("show", "--property=MainPID,ActiveState"):
            main = self.programs.main(self.unit).read_text().strip()
            states = (("0" * (not main) or main, "active"), ("0", self.warm_up_state["ActiveState"]))
            return 0, "\n\n".join(f"MainPID={pid}\nActiveState={state}" for pid, state in states)
        verb, unit = arguments[0], arguments[-1]
        if unit == self.paths["watch_timer"] and verb != "show":
            if verb == "is-active":
                return (3 if self.watch_timer_state == NO_UNIT else 0), ""
            if verb in {"restart", "disable"}:
                self.watch_timer_state = NO_UNIT if verb == "disable" else {**NO_UNIT, **self.shown}
            return 0, ""
        if (verb, unit) == ("start", self.paths["watcher"]):
            self.at_look()
            self.watcher_state = "failed" if self.look_fails else "inactive"
            return int(self.look_fails), ""
        if unit == self.paths["healer"]:
            self.heals_begun += verb == "start"
            failed, self.heal_failed = self.heal_failed, self.heal_failed and verb != "reset-failed"
            return int(verb == "is-failed" and not failed), ""
        return None

    def warm_up_unit(self, _: str) -> bool:
        """Runs the warm-up as its unit does: what it came to."""
        done = self.warm_up()
        self.journal += done.out.splitlines()
        self.warm_up_state["ActiveState"] = "failed" if done.code else "active"
        self.warm_up_state["ExecMainStatus"] = str(done.code)
        if done.code:
            self.journal += self.warm_up("retry", EXIT_STATUS=str(done.code)).out.splitlines()
        return not done.code

    def warm_up(self, *arguments: str, **environ: str) -> Done:
        """The warm-up's script as it is installed."""
        path = self.root / self.paths["warm_up_script"].lstrip("/")
        where = {"STATE_DIRECTORY": str(self.metrics.parent), **environ}
        return self._run(["sh", str(path), *arguments], "", where)

    def watch(self, settings: Settings, verb: str = "look", needs_gpu: bool = True) -> Done:
        """The watch's script as a deploy would install it: a look, or a heal, whose unit fails with it."""
        place = self.paths["watch_script"]
        given = settings.model_copy(update={"ollama_unit": self.unit})
        text = watch_files(given, needs_gpu, self.engine.url, str(self.root))[place][1]
        path = self.root / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        done = self._run(["sh", str(path), verb], "", {})
        if verb == "heal":
            self.heal_failed = bool(done.code)
        return done

    def install_warm_up(self, settings: Settings, needs_gpu: bool = True) -> None:
        """As a deploy does it, the paths below the directory."""
        place = self.paths["warm_up_script"]
        path = self.root / place.lstrip("/")
        text = warm_up_files(settings, needs_gpu, self.engine.url, str(self.root))[place][1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    # What runs on it.

    def run(self, which: str, /, *listed: str, stdin: str = "", **arguments: str | int) -> Done:
        """A script of host/, with these arguments by name, and those of its list."""
        return self._run(script(which, self.root, *listed, unit=self.unit, **arguments), stdin, {})

    def start(self, which: str, /, *listed: str, stdin: str = "", **arguments: str | int) -> subprocess.Popen[str]:
        """The same, begun."""
        process = self._start(script(which, self.root, *listed, unit=self.unit, **arguments), {})
        assert process.stdin
        process.stdin.write(stdin)
        process.stdin.close()
        return process

    def perform(self, line: StringCommand, stdin: str = "") -> Done:
        """A command of the product's, as a shell on the host is given it."""
        return self._run(words(line, self.root), stdin, {})

    def _start(self, words: list[str], environ: dict[str, str]) -> subprocess.Popen[str]:
        if self.user:  # what the fakes have written since is this user's, too: the engine's, and the owner's
            for it in (self.root, *self.root.rglob("*")):
                os.chown(it, self.user, -1, follow_symlinks=False)
        plain = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        path = f"{self.root}/bin:{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.root), "TMPDIR": str(self.root / "tmp")}
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
            env=plain | own | environ,
            user=self.user,
            umask=self.umask,
            start_new_session=True,
        )

    def _run(self, words: list[str], stdin: str, environ: dict[str, str]) -> Done:
        process = self._start(words, environ)
        self.running = process.pid
        out, err = process.communicate(stdin, timeout=60)
        return Done(process.returncode, out, err)

    def killed_after(self, lives: int, step: Step, settings: Settings) -> Done:
        """Takes a step that is killed when it has changed something so many times."""
        counter = self.root / "lives"
        counter.write_text(f"{lives}\n")

        def dies() -> bool:
            left = int(counter.read_text())
            counter.write_text(f"{left - 1}\n")
            if left <= 0:
                os.killpg(self.running, signal.SIGKILL)
            return left <= 0

        self.engine.dies = dies
        done = self.apply(step, settings)
        self.engine.dies = lambda: False
        counter.unlink()
        return done

    # What a deploy does with it.

    def found(self, settings: Settings) -> Observed:
        """What a probe says."""
        fact = HostObserved()
        done = self.perform(fact.command(settings))
        assert done.code == 0, done
        return fact.process(self.lines(done))

    def details(self, models: list[str], doubted: tuple[str, ...] = ()) -> Details:
        fact = ModelDetails()
        done = self.perform(fact.command(self.unit, self.engine.url, models, doubted))
        assert done.code == 0, done
        return fact.process(self.lines(done))

    def stored(self) -> Stored:
        done = self.perform(HostStored().command(self.unit))
        assert done.code == 0, done
        return HostStored().process(done.out.splitlines())

    def lines(self, done: Done) -> list[str]:
        """What it printed, the directory left out of paths."""
        return done.out.replace(str(self.root), "").splitlines()

    def apply(self, step: Step, settings: Settings, found: Observed | None = None) -> Done:
        """The script that takes a step; the look at its end is left out."""
        _, [wanted], _, _ = command([step], settings, found or self.found(settings)).args
        return self.perform(scripts.command(wanted, unit=self.unit), wanted.stdin)

    def plan(self, settings: Settings, found: Observed | None = None) -> list[Step]:
        """The steps from what is there to what is declared, as operations.models makes them."""
        found = found or self.found(settings)
        if settled(Snapshot(settings, found), render.modelfile):
            return []
        return steps(self.snapshot(settings, found), render.modelfile)

    def snapshot(self, settings: Settings, found: Observed | None = None) -> Snapshot:
        """All that the steps are planned from."""
        found = found or self.found(settings)
        return Snapshot(settings, found).with_details(self.details(questions(settings, found)))

    def deploy(self, settings: Settings) -> list[str]:
        """Plans, takes the first step, and again; the steps that were taken."""
        taken: list[str] = []
        while planned := self.plan(settings):
            assert str(planned[0]) not in taken, f"{planned[0]}: still needed after it ran; giving up"
            taken.append(str(planned[0]))
            done = self.apply(planned[0], settings)
            assert done.code == 0, done
        self.install_warm_up(settings)
        return taken

    def faults(self, settings: Settings) -> dict[str, str]:
        """What is wrong with each slot, by name; nothing where all is well."""
        seen = self.snapshot(settings)
        faults = {
            it.slot.name: fault(it, seen.observed, True, settings.for_ever, seen.details) for it in seen.wanted
        }
        return {name: why for name, why in faults.items() if why}

    # What is on it.

    def state(self, name: str) -> dict[str, str]:
        """The state of a slot; of what it had before as previous/NAME."""
        path = self.root / self.paths["state_dir"].lstrip("/") / f"{name}.slot"
        return dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}

    def digest(self, name: str) -> str | None:
        model = self.engine.files.model(name)
        return model.digest if model else None

    def picture(self) -> dict[str, Any]:
        """All of it that a failed step leaves as it was."""
        kept = [self.root / self.paths[it].lstrip("/") for it in ("state_dir", "modelfiles")]
        files = [it for directory in kept for it in directory.rglob("*") if it.is_file()]
        return {
            "names": self.engine.files.names(),
            "files": {str(it.relative_to(self.root)): it.read_text() for it in files},
            "memory": sorted(it["digest"] for it in self.engine.runners.ps()),
        }

    def asked(self) -> list[str]:
        """What the engine was asked since the last time."""
        asked, self.engine.asked = self.engine.asked, []
        return asked


@contextmanager
def directory_host(root: Path, version: str = "0.34.4") -> Iterator[DirectoryHost]:
    """A host for the time of the ``with``."""
    with ExitStack() as stack:
        yield DirectoryHost(root, version, stack)


@contextmanager
def two_engines(root: Path, unit: str, version: str = "0.34.4") -> Iterator[tuple[DirectoryHost, DirectoryHost]]:
    """A host with the usual Ollama and one more, each as a host of its own, for the time of the ``with``."""
    with ExitStack() as stack:
        one = DirectoryHost(root, version, stack)
        yield one, DirectoryHost(root, version, stack, unit, beside=one)

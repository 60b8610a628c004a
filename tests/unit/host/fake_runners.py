"""The fake engine's memory: runners by weights, as Ollama's scheduler has them, each a process in a fake /proc."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.unit.host.fake_store import Model

BLOCKS = 30  # of every model; there is a layer for the output beside them
FOR_EVER = "2318-04-27T00:00:00Z"


class FakeProc:
    """A directory that is a host's /proc. ``self`` is the real one: whoever reads it is a real process."""

    def __init__(self, path: Path) -> None:
        self.path, self.last = path, 1000
        path.mkdir()
        (path / "self").symlink_to("/proc/self")

    def start(self, *command: str, parent: int = 1) -> int:
        """A process with this command line; its number."""
        self.last += 1
        directory = self.path / str(self.last)
        (directory / "fd").mkdir(parents=True)
        (directory / "cmdline").write_text("".join(f"{it}\0" for it in command))
        (directory / "status").write_text(f"Name:\tx\nPid:\t{self.last}\nPPid:\t{parent}\n")
        return self.last

    def end(self, pid: int) -> None:
        """A process that ends: its files are gone at once, however many of them somebody reads."""
        directory = self.path / str(pid)
        if directory.exists():
            gone = directory.rename(self.path / f".{pid}")
            for file in sorted(gone.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
            gone.rmdir()


@dataclass
class Runner:
    """Weights in memory. It keeps the name and the digest by which it was loaded."""

    name: str
    digest: str
    weights: str
    context: int
    size: int
    size_vram: int
    pid: int
    num_gpu: int = -1  # layers that are to be in GPU memory; below 0: as many as fit
    seconds: float = -1  # that it stays after an answer; below 0: for ever
    expires: float = 0  # since 1970
    leaves_after: int | None = None  # answers that it still gives until it goes, where it was told to
    forgets: bool = False  # the next answer takes away the sign that it is to go, and it goes all the same

    @property
    def expires_at(self) -> str:
        if self.seconds < 0 and self.leaves_after is None:
            return FOR_EVER
        return datetime.fromtimestamp(self.expires, UTC).astimezone().isoformat(timespec="microseconds")


@dataclass
class Runners:
    """What is in memory.

    + most: how many it holds (OLLAMA_MAX_LOADED_MODELS)
    + memory: bytes of GPU memory; None: it is not looked at
    + parent: the process that starts them
    """

    proc: FakeProc
    blobs: Path
    most: int = 9
    memory: int | None = None
    parent: int = 1
    all: dict[str, Runner] = field(default_factory=dict)  # by weights
    lock: threading.RLock = field(default_factory=threading.RLock)
    # Knobs, by weights.
    on_cpu: set[str] = field(default_factory=set)  # nothing of it gets into GPU memory
    in_part: dict[str, float] = field(default_factory=dict)  # that much of it does
    narrow: dict[str, int] = field(default_factory=dict)  # the window that it gets, whatever is asked
    expiring: dict[str, float] = field(default_factory=dict)  # a client asked for it to stay so many seconds
    leaving: dict[str, list[int]] = field(default_factory=dict)  # of its next loads: the answers until it goes
    lost_unloads: int = 0  # requests to unload that are not heard
    slow_unload: float = 0  # seconds from an unload to the end of the process
    # What happened.
    loaded: list[str] = field(default_factory=list)  # names
    evicted: list[str] = field(default_factory=list)  # weights
    unloaded: list[str] = field(default_factory=list)

    def use(self, model: Model, context: int, size: int, seconds: float | None) -> Runner:
        """A request for a model: it is loaded, unless its runner is there with this window, and lives.

        + context, size: tokens, and bytes of the loaded model
        + seconds: that it is to stay then; None: as it was loaded
        """
        with self.lock:
            context = self.narrow.get(model.weights, context)
            runner, num_gpu = self.all.get(model.weights), int(model.params.get("num_gpu", -1))
            # Who leaves the number of layers to the engine takes what there is (needsReload in server/sched.go).
            other = runner and (runner.context != context or (num_gpu >= 0 and runner.num_gpu != num_gpu))
            if runner and (other or not self._lives(runner)):
                self._end(runner)
                runner = None
            if runner is None:
                runner = self._load(model, context, size)
            if seconds is not None:
                runner.seconds = self.expiring.get(model.weights, seconds)
            if runner.forgets:
                runner.leaves_after, runner.forgets = None, False
            if runner.leaves_after is None:
                runner.expires = time.time() + runner.seconds
            else:
                runner.leaves_after -= 1
                if runner.leaves_after < 0:
                    self._end(runner)
            return runner

    def _lives(self, runner: Runner) -> bool:
        return (self.proc.path / str(runner.pid)).exists()

    def _load(self, model: Model, context: int, size: int) -> Runner:
        num_gpu = int(model.params.get("num_gpu", -1))
        partly = 0 <= num_gpu <= BLOCKS  # then the engine does not look whether it fits
        while self.all and (len(self.all) >= self.most or (not partly and size > 0.8 * self._free())):
            # Of the idle ones, by how long they are to stay, then by the blob's path (server/sched.go).
            victim = min(self.all.values(), key=lambda it: (it.seconds < 0, it.seconds, it.weights))
            self.evicted.append(victim.weights)
            self._end(victim)
        part = 0.0 if model.weights in self.on_cpu else self.in_part.get(model.weights, 1.0)
        part *= num_gpu / (BLOCKS + 1) if partly else 1
        in_gpu = int(min(size * part, self._free()))  # the first is loaded whether it fits or not
        blob = self.blobs / f"sha256-{model.weights}"
        if model.more:
            blob = (
                self.blobs
                / f".ollama-split-{model.digest[:12]}-12345/model-00001-of-{len(model.more) + 1:05}.gguf"
            )
        command = ("/usr/local/lib/ollama/llama-server", "--model", str(blob), "-c", str(context))
        pid = self.proc.start(*command, parent=self.parent)
        runner = Runner(model.name, model.digest, model.weights, context, size, in_gpu, pid, num_gpu)
        if self.leaving.get(model.weights):
            runner.leaves_after, runner.expires = self.leaving[model.weights].pop(0), time.time() - 1
        self.all[model.weights] = runner
        self.loaded.append(model.name)
        return runner

    def _free(self) -> float:
        return float("inf") if self.memory is None else self.memory - sum(it.size_vram for it in self.all.values())

    def unload(self, weights: str) -> None:
        """What a request with a keep_alive of 0 does: by weights, whoever loaded them."""
        with self.lock:
            runner = self.all.get(weights)
            if runner is None:
                return
            if self.lost_unloads:
                self.lost_unloads -= 1
                return
            self.unloaded.append(weights)
            if self.slow_unload and self._lives(runner):
                runner.leaves_after, runner.expires, runner.forgets = 10**6, time.time() - 1, True
                threading.Timer(self.slow_unload, self._end, [runner]).start()
            else:
                self._end(runner)

    def _end(self, runner: Runner) -> None:
        with self.lock:
            self.proc.end(runner.pid)
            if self.all.get(runner.weights) is runner:
                del self.all[runner.weights]

    def evict(self, weights: str) -> None:
        """It goes, for the sake of another load."""
        self._end(self.all[weights])

    def dies(self, weights: str) -> None:
        """Its process ends by itself: the engine goes on listing it until somebody asks for it."""
        self.proc.end(self.all[weights].pid)

    def clear(self) -> None:
        """The engine ends, and they with it."""
        for runner in list(self.all.values()):
            self._end(runner)

    def ps(self) -> list[dict[str, Any]]:
        """The rows of /api/ps."""
        with self.lock:
            now = time.time()
            for it in list(self.all.values()):
                if it.seconds >= 0 and it.leaves_after is None and it.expires < now:
                    self._end(it)
            return [
                {
                    "name": it.name,
                    "model": it.name,
                    "size": it.size,
                    "digest": it.digest,
                    "details": {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"]},
                    "expires_at": it.expires_at,
                    "size_vram": it.size_vram,
                    "context_length": it.context,
                }
                for it in self.all.values()
            ]

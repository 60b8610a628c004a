"""One host twice: of plain values (world.py), and a directory with the scripts of host/. Each checks the other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

from ollama_slots.core import prune, rollback
from ollama_slots.core.observed import Observed, SlotState
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Step
from tests.unit.core.test_plan_converges import happen
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.store import stored
from tests.unit.world import MODELFILES, World


class Both:
    """A host of plain values and a directory that is to be the same.

    Weights have the same digest in both, for they are the same text. Manifests have not: which is which is learnt
    from the names that they have, and must stay so.
    """

    def __init__(self, world: World, host: DirectoryHost) -> None:
        self.world, self.host = world, host
        self.same: dict[str, str] = {}  # manifest digests of the one, by those of the other

    def publish(self, name: str, weights: str | None = None, **shape: int | bool) -> None:
        self.world.publish(name, weights, **shape)
        self.host.engine.publish(name, weights, **shape)

    def deploy(self, settings: Settings) -> None:
        """Plans, takes the first step, and again; after each step both look the same, and plan the same."""
        while True:
            planned = self.world.plan(settings)
            found = self.compare(settings)
            on_host = self.host.plan(settings, found)
            assert list(map(str, on_host)) == list(map(str, planned))
            if not planned:
                break
            self._take(planned[0], on_host[0], settings, found)
        self.host.install_warm_up(settings)

    def go_back(self, settings: Settings) -> None:
        """As operations.rollback does it."""
        models = list(self.world.tags)
        while True:
            planned = _or_why(rollback.steps, Snapshot(settings, self.world.found(), self.world.details(models)))
            found = self.compare(settings)
            on_host = _or_why(rollback.steps, Snapshot(settings, found, self.host.details(models)))
            assert list(map(str, on_host)) == list(map(str, planned))
            if not planned or isinstance(planned, str):
                break
            assert isinstance(on_host, list)
            self._take(planned[0], on_host[0], settings, found)

    def prune(self, settings: Settings) -> None:
        """As operations.prune does it."""
        while True:
            rows = _or_why(prune.listing, settings, self.world.found(), stored(self.world))
            found = self.compare(settings)
            on_host = _or_why(prune.listing, settings, found, self.host.stored())
            if isinstance(rows, str) or isinstance(on_host, str):
                assert rows == on_host
                break
            assert [(it.name, it.why) for it in on_host] == [(it.name, it.why) for it in rows]
            steps = [(one.step, other.step) for one, other in zip(rows, on_host, strict=True) if one.step]
            if not steps:
                break
            assert steps[0][0]
            assert steps[0][1]
            self._take(steps[0][0], steps[0][1], settings, found)

    def _take(self, step: Step, on_host: Step, settings: Settings, found: Observed) -> None:
        assert _shape(on_host) == _shape(step)
        done = self.host.apply(on_host, settings, found)
        assert done.code == 0, (str(step), done)
        self.world.apply(step)

    def warm_up(self, settings: Settings) -> None:
        """Where it does anything at all: it takes the most time."""
        before = copy.deepcopy(self.world.runners), list(self.world.reloaded)
        self.world.warm_up()
        if (self.world.runners, self.world.reloaded) != before:
            host = self.host
            given: dict[str, Any] = {
                "url": host.engine.url,
                "keep_alive": -1,
                "load_seconds": 60,
                "lock_seconds": 9,
            }
            done = host.run("warm", **given, gpu="yes")
            assert done.code == 0, done
        self.compare(settings)

    def happens(self, what: str, where: Any) -> None:
        """What people, crashes and disks do, to both."""
        there = where in self.world.tags or f"{where}:latest" in self.world.tags, "a:1b" in self.world.tags
        victim = min(self.world.runners, default=None)
        happen(self.world, what, where)
        engine, root = self.host.engine, self.host.root
        if what == "restart":
            self.host.restart()
        elif what == "delete base":
            self._rm(where)
        elif what == "move base" and there[0]:
            engine.publish(where, f"another {where}")
            list(engine.pull(where))
        elif what == "lose weights" and there[0]:
            engine.files.blob(engine.model(where).weights).unlink(missing_ok=True)
            self.host.restart()
        elif what == "delete variant":
            self._rm(f"{where}:latest")
        elif what == "change variant" and all(there):
            engine.create(f"{where}:latest", "FROM a:1b\nPARAMETER num_ctx 512\n")
        elif what == "lose state":
            (root / f"var/lib/ollama-slots/{where}.slot").unlink(missing_ok=True)
        elif what == "edit Modelfile":
            # In earnest: where it is deleted, a rotation fails (test_rotate.py), which plain values do not tell.
            file = root / f"etc/ollama/modelfiles/{where}.Modelfile"
            if file.exists():
                file.write_text("FROM another\n")
                self.world.files[f"{MODELFILES}/{where}.Modelfile"] = sha256(b"FROM another\n").hexdigest()
        elif what == "evict" and victim:
            engine.runners.evict(victim)

    def _rm(self, name: str) -> None:
        """``ollama rm``, which unloads first."""
        engine = self.host.engine
        if engine.files.read(name) is not None:
            engine.runners.unload(engine.model(name).weights)
            engine.delete(name)

    def compare(self, settings: Settings) -> Observed:
        """What a probe of each says is the same; that of the directory."""
        one, other = self.world.found(), self.host.found(settings)
        assert one.listed is not None
        assert other.listed is not None
        assert one.listed.keys() == other.listed.keys()
        for key, listed in one.listed.items():
            assert self.same.setdefault(listed.digest, other.listed[key].digest) == other.listed[key].digest, key
            assert listed.parent == other.listed[key].parent, key
        assert len(set(self.same.values())) == len(self.same), "what differs in the one differs in the other"
        for name, model in self.world.tags.items():
            there = self.host.engine.model(name)
            assert (there.weights, self.host.engine.context(there, {})) == (model.weights, model.context), name
        assert self._runners(one, self.same) == self._runners(other, None)
        assert one.live == other.live
        for mine, theirs in ((one.states, other.states), (one.previous, other.previous)):
            assert {it: self._state(mine[it], self.same) for it in mine} == {
                it: self._state(theirs[it], None) for it in theirs
            }
        assert one.bases.keys() == other.bases.keys()
        assert {it for it in one.listed if one.brought(it)} == {it for it in other.listed if other.brought(it)}
        assert _modelfiles(one) == _modelfiles(other)
        return other

    def _runners(self, found: Observed, same: dict[str, str] | None) -> set[tuple[Any, ...]]:
        return {
            (
                it.name,
                same[it.digest] if same else it.digest,
                it.context_length,
                it.size,
                it.size_vram,
                it.for_ever,
            )
            for it in found.runners or ()
        }

    def _state(self, state: SlotState, same: dict[str, str] | None) -> dict[str, Any]:
        """A state in the terms of the directory; when it was made is each one's own."""
        known = state.model_dump() | {"made": state.made > 0, "brought": bool(state.brought)}
        for key in ("base", "variant", "loaded"):
            with suppress(KeyError):
                known[key] = same[known[key]] if same else known[key]
        return known


def _or_why(plan: Callable[..., list[Any]], *arguments: Any) -> list[Any] | str:
    """A plan, or why there is none."""
    try:
        return plan(*arguments)
    except ValueError as error:
        return str(error)


def _shape(step: Step) -> dict[str, Any]:
    """All of a step but digests and times, which are each one's own."""
    of = {key: value for key, value in vars(step).items() if key not in ("state", "known")}
    return of | {"known": len(getattr(step, "known", ()))}


def _modelfiles(found: Observed) -> dict[str, str]:
    return found.modelfiles


def both(host: DirectoryHost, most: int = 9) -> Both:
    """Both with nothing on them, and some models that are special.

    + most: how many models the engine holds at once
    """
    it = Both(World(most=most), host)
    host.engine.runners.most = most
    host.restart()
    for name in ("a:1b", "b:1b", "c:1b"):
        it.publish(name)
    it.publish("twin:1b", weights="a:1b")
    it.publish("small:1b", trained=2048)
    it.publish("eyes:1b", sees=True)
    return it

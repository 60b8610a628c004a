"""A host of plain values that behaves as Ollama and the scripts of host/ do, as far as a plan looks at them.

What it shows goes through the texts that a host prints, so that the readers of host/ read
here what they read there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ollama_slots.core import names
from ollama_slots.core.details import Details
from ollama_slots.core.observed import Observed, SlotState
from ollama_slots.core.plan import TAGS, questions, settled, steps
from ollama_slots.core.residency import fault, residency
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Pull, Remove, Rotate, Step
from ollama_slots.host import render
from ollama_slots.host.details import parse_details
from ollama_slots.host.probe import parse_probe

GB = 10**9
MODELFILES = "/etc/ollama/modelfiles"
# What Ollama says of a device that it found when it was started (discover/types.go, v0.34.4).
OF_THE_CPU = (
    'time=2026-01-15T10:30:00.000Z level=INFO source=types.go:50 msg="inference compute" id=cpu library=cpu '
    'compute="" name=cpu description=cpu libdirs=ollama driver="" pci_id="" type="" total="15.6 GiB" '
    'available="14.0 GiB"'
)


def of_start(
    total: float, available: float | None = None, library: str = "CUDA", pci: str = "", kind: str = "discrete"
) -> str:
    """What Ollama says of a GPU. + total, available: in MiB"""
    free = total if available is None else available
    return (
        'time=2026-01-15T10:30:00.000Z level=INFO source=types.go:32 msg="inference compute" id=0 filter_id="" '
        f'library={library} compute=8.9 name={library}0 description="A \\"fine\\" GPU" libdirs=ollama,cuda_v13 '
        f'driver=13.0 pci_id={pci or chr(34) * 2} type={kind} total="{total / 1024:.1f} GiB" '
        f'available="{free / 1024:.1f} GiB"'
    )


URL = "http://127.0.0.1:11434"


def digest(*parts: object) -> str:
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class Model:
    """A manifest: of a base, or of a variant."""

    digest: str
    weights: str
    trained: int = 131072  # tokens
    sees: bool = False
    embeds: bool = False
    on_cpu: bool = False  # its num_gpu is 0
    size: int = GB
    window: int = 4096  # num_ctx, before the engine's own bounds
    made: int = field(default=0, compare=False)  # minutes of some day
    made_of: str = ""  # a variant's base

    @property
    def context(self) -> int:
        return min(max(self.window, 2048) if self.sees else self.window, self.trained)


@dataclass(frozen=True)
class Loaded:
    """A runner: it keeps the name and the digest by which it was loaded."""

    name: str
    digest: str
    context: int
    size: int
    in_gpu: float = 1.0
    until: str = "2318-01-01T00:00:00Z"


class Killed(Exception):  # noqa: N818 (it is no error)
    """The run ended in the middle of a step."""


@dataclass
class World:
    """One host.

    + registry: what can be pulled, by name; a name that is not there gets weights of its own
    + most: how many runners the engine holds; one more evicts the first that it finds
    """

    registry: dict[str, Model] = field(default_factory=dict)
    tags: dict[str, Model] = field(default_factory=dict)  # by name:tag
    runners: dict[str, Loaded] = field(default_factory=dict)  # by weights
    states: dict[str, SlotState] = field(default_factory=dict)
    previous: dict[str, SlotState] = field(default_factory=dict)  # of NAME:previous
    bases: dict[str, str] = field(default_factory=dict)  # pulled by a deploy: when, by name
    unfinished: dict[str, str] = field(default_factory=dict)  # left by pulls: time, bytes and record, by blob
    files: dict[str, str] = field(default_factory=dict)  # path to sha256
    settings: list[str] = field(default_factory=list)  # lines of the unit's files, as grep -n has them
    changed: dict[str, float] = field(default_factory=dict)  # when they were, and Ollama was started
    service: dict[str, str] = field(default_factory=lambda: {"LoadState": "loaded", "MainPID": "42"})
    warmup: dict[str, str] = field(default_factory=lambda: {"ActiveState": "active", "UnitFileState": "enabled"})
    looked: str = "inactive"  # what has become of the watch's last look
    watch: dict[str, str] = field(default_factory=lambda: {"ActiveState": "active", "UnitFileState": "enabled"})
    lost: set[str] = field(default_factory=set)  # weights whose file is gone
    read: set[str] = field(default_factory=set)  # manifests that the engine has read since it was started
    most: int = 9
    keep_alive: str = "-1"
    parallel: int = 1
    environ: dict[str, str] = field(default_factory=dict)  # more of Ollama's own
    gpu: tuple[int, int] | None = None  # MiB: total, free
    gpus: list[str] | None = None  # what Ollama said of what it found, if that is not this one
    cards: list[str] = field(default_factory=list)  # of the driver, asked where Ollama found none
    expects: list[str] = field(default_factory=list)  # of the warm-up that is installed
    disk: int | None = None  # bytes free
    listens: str = URL
    given: str = ""  # ollama_url
    version: str = "0.32.15"
    warms: str = ""  # where the warm-up asks
    may: str = "write"  # what root may do where the models lie
    lacks: list[str] = field(default_factory=list)  # of what the scripts need
    unloaded: list[tuple[str, str]] = field(default_factory=list)  # on whose behalf, which weights
    evicted: list[tuple[str, str]] = field(default_factory=list)
    reloaded: list[str] = field(default_factory=list)  # slots that were interrupted for it
    clock: int = 0
    lives: int | None = None  # changes until the run is killed
    runs: str = ""  # the script that runs on it, as fake.py has it

    # What the engine does.

    def publish(self, name: str, weights: str | None = None, **more: int | bool) -> None:
        """Puts a model into the registry, with the weights of another one if they are named."""
        of = digest("weights", weights or name)
        self.registry[name] = Model(digest("manifest", name, of, more), of, **more)  # type: ignore[arg-type]

    def pull(self, name: str) -> None:
        if name not in self.registry:
            self.publish(name)
        self._change()
        self.clock += 1
        self.tags[name] = replace(self.registry[name], made=self.clock)
        self.lost.discard(self.tags[name].weights)

    def create(self, name: str, modelfile: str) -> None:
        """``ollama create``: the same instructions on the same base are the same manifest."""
        said = [line for line in modelfile.splitlines() if not line.startswith("#")]
        of = next(line.removeprefix("FROM ") for line in said if line.startswith("FROM "))
        base = self.tags[of]
        window = next(int(line.split()[-1]) for line in said if line.startswith("PARAMETER num_ctx "))
        self._change()
        self.clock += 1
        sha = digest(base.digest, *said[1:])
        cpu = base.on_cpu or "PARAMETER num_gpu 0" in said
        self.tags[name] = replace(base, digest=sha, window=window, made=self.clock, made_of=of, on_cpu=cpu)

    def load(self, name: str, behalf: str = "") -> None:
        """A request: it reloads only where the window differs."""
        model = self.tags[name]
        assert model.weights not in self.lost
        runner = self.runners.get(model.weights)
        if runner and runner.context == model.context:
            return
        self._change()
        self.runners.pop(model.weights, None)
        while len(self.runners) >= self.most:
            victim = min(self.runners)
            self.evicted.append((behalf, victim))
            del self.runners[victim]
        in_gpu = 0.0 if model.on_cpu else 1.0
        self.runners[model.weights] = Loaded(name, model.digest, model.context, model.size, in_gpu)

    def unload(self, name: str, behalf: str = "") -> None:
        """By weights, whoever loaded them."""
        if name in self.tags:
            self._change()
            if self.runners.pop(self.tags[name].weights, None):
                self.unloaded.append((behalf, self.tags[name].weights))

    def restart(self) -> None:
        self.runners.clear()
        self.read.clear()

    def _change(self) -> None:
        if self.lives is not None:
            self.lives -= 1
            if self.lives < 0:
                raise Killed

    def _delete(self, name: str) -> None:
        self._change()
        self.tags.pop(name, None)

    # What the scripts of host/ do.

    def apply(self, step: Step) -> None:
        if isinstance(step, Pull):
            self.pull(step.model)
            if step.ours:
                self.bases[step.model] = self.modified_at(step.model)
        elif isinstance(step, Remove):
            behalf = step.forget or ""
            if step.unload:
                self.unload(step.unload, behalf)
            if step.put_back:
                self._put_back(step.put_back)
            for name in step.delete:
                self._pass_on(name)
                self._delete(name)
                self.bases.pop(name, None)
            for blob in step.discard:
                self.unfinished.pop(blob)
            if step.forget:
                self._change()
                self.states.pop(step.forget, None)
                self.previous.pop(step.forget.removeprefix("previous/"), None)
                self.files.pop(f"{MODELFILES}/{step.forget}.Modelfile", None)
        else:
            self._rotate(step)

    def _pass_on(self, name: str) -> None:
        """The slots that a runner serves keep the digest by which it was loaded."""
        gone = self.tags.get(name)
        runner = self.runners.get(gone.weights) if gone else None
        if gone is None or runner is None or runner.digest != gone.digest:
            return
        for slot, state in self.states.items():
            if state.weights == gone.weights:
                self.states[slot] = state.model_copy(update={"loaded": gone.digest})

    def _rotate(self, step: Rotate) -> None:
        name = step.target.slot.name
        latest, candidate, previous = (f"{name}:{tag}" for tag in TAGS)
        old = self.tags.get(latest)
        self._change()
        if step.modelfile:
            self.create(candidate, step.modelfile)
            made = self.tags[candidate]
        elif old and old.digest == self.previous[name].variant:
            made = old  # a rollback died after its switch
        else:
            made = self.tags[candidate] = self.tags[previous]
        if not old or made.digest != old.digest:
            if step.make_room:
                self.unload(latest, name)
            self.load(candidate, name)
            assert made.weights == step.state.weights
            assert self.runners[made.weights].context == step.state.context
            if old:
                self._change()
                self.tags[previous] = old
            self._change()
            self.tags[latest] = made
            if step.unload_old:
                self.unload(previous, name)
            self.load(latest, name)
        self._change()
        text = sha256(step.modelfile.encode()).hexdigest() if step.modelfile else self.previous[name].modelfile
        self.files[f"{MODELFILES}/{name}.Modelfile"] = text
        self._change()
        # A runner's weights are not in /api/ps: only digests that are known for them, or that a name still has.
        of_them = {
            made.digest,
            *step.known,
            *(it.digest for it in self.tags.values() if it.weights == made.weights),
        }
        loaded = [it.digest for it in self.runners.values() if it.digest in of_them]
        more = {"variant": made.digest, "loaded": loaded[0] if loaded else made.digest}
        self.clock += 1
        was = self.states.get(name)
        made_now = {"made": self.clock} if step.modelfile else {}
        self.states[name] = step.state.model_copy(update=more | made_now)
        if was and previous in self.tags and was.variant == self.tags[previous].digest:
            self._change()
            self.previous[name] = was

    def _put_back(self, name: str) -> None:
        latest, candidate, previous = (f"{name}:{tag}" for tag in TAGS)
        made, prior = self.tags[candidate], self.previous.get(name)
        if prior and prior.variant == made.digest:
            self._change()
            self.tags[previous] = made
        self._change()
        if latest in self.tags:
            self.tags[candidate] = self.tags[latest]
        else:
            self._delete(candidate)

    # What a host prints.

    def modified_at(self, name: str) -> str:
        """When a name was pulled or made, as the engine lists it."""
        made = self.tags[name].made
        return f"2026-01-15T{made // 60 % 24:02}:{made % 60:02}:30.123456789+01:00"

    def probe(self) -> list[str]:
        """The output of host/probe.sh."""
        tags = [
            {
                "name": name,
                "digest": it.digest,
                "size": it.size,
                "modified_at": self.modified_at(name),
                "details": {"parent_model": it.made_of},
            }
            for name, it in self.tags.items()
        ]
        loaded = [
            {
                "name": it.name,
                "digest": it.digest,
                "size": it.size,
                "size_vram": int(it.size * it.in_gpu),
                "context_length": it.context,
                "expires_at": it.until,
            }
            for it in self.runners.values()
        ]
        return [
            "== lacks",
            *self.lacks,
            *(["== end"] if self.lacks else []),
            "== units",
            "Id=ollama.service",
            *(f"{key}={value}" for key, value in self.service.items()),
            "",
            "Id=ollama-warmup.service",
            *(f"{key}={value}" for key, value in self.warmup.items()),
            "",
            "Id=ollama-slots-watch.timer",
            *(f"{key}={value}" for key, value in self.watch.items()),
            "",
            "Id=ollama-slots-watch.service",
            f"ActiveState={self.looked}",
            "== environ",
            f"OLLAMA_KEEP_ALIVE={self.keep_alive}",
            f"OLLAMA_MAX_LOADED_MODELS={self.most}",
            f"OLLAMA_NUM_PARALLEL={self.parallel}",
            *(f"{key}={value}" for key, value in self.environ.items()),
            "== gpus",
            *(self.gpus if self.gpus is not None else [of_start(*self.gpu[:1]) if self.gpu else OF_THE_CPU]),
            "== cards",
            *self.cards,
            "== installed",
            *self.expects,
            *([f"url={self.warms}"] if self.warms else []),
            "== files",
            *(f"{sha}  {path}" for path, sha in self.files.items()),
            "== settings",
            *self.settings,
            "== changed",
            *(f"{seconds} {path}" for path, seconds in self.changed.items()),
            "== since",
            self.since(),
            "== states",
            *(
                f"/var/lib/ollama-slots/{directory}{name}.slot:{line}"
                for directory, states in (("", self.states), ("previous/", self.previous))
                for name, state in sorted(states.items())  # as a shell lists files
                for line in [*state.lines().splitlines(), f"variant={state.variant}", f"loaded={state.loaded}"]
            ),
            *(f"/var/lib/ollama-slots/bases:{name} {when}" for name, when in self.bases.items()),
            "== live",
            *(f"sha256-{weights}" for weights in self.runners),
            "== asked",
            self.given or self.listens,
            self.listens,
            *(["127.0.0.1"] if self.given else []),
            "== api",
            json.dumps({"version": self.version}),
            json.dumps({"models": tags}),
            json.dumps({"models": loaded}),
            "== store",
            *self.store(),
            "== scraps",
            "== end",
        ]

    def since(self) -> str:
        """What host/since.sh says: another once a step was taken."""
        return digest(self.states, self.previous, self.tags, self.bases, self.service, self.keep_alive, self.most)

    def silent(self) -> list[str]:
        """The same, where Ollama does not answer."""
        said = self.probe()
        api = said.index("== api") + 1
        return [*said[:api], "", "", "", *said[api + 3 :]]

    def store(self) -> list[str]:
        """What the probe says of the models on the disk."""
        paths = ["/".join(names.parse(name)) for name in self.tags]
        return ["models /models", "path /models", f"may {self.may}", *(f"name {it}" for it in paths)]

    def show(self, models: list[str]) -> list[str]:
        """The output of host/details.sh."""
        lines, shown = ["== show"], set[str]()
        present = {names.parse(name).key: model for name, model in self.tags.items()}
        for name in models:
            model = present.get(names.parse(name).key)
            if model is None or (model.weights in self.lost and model.digest not in self.read):
                lines += [json.dumps({"error": f"model '{name}' not found"}), "404"]
                continue
            self.read.add(model.digest)
            shown.add(model.weights)
            answer = {
                "modelfile": f"# FROM {name}\n\nFROM /usr/share/ollama/blobs/sha256-{model.weights}\n",
                "capabilities": [
                    "embedding" if model.embeds else "completion",
                    *(["vision"] if model.sees else []),
                ],
                "parameters": "num_gpu                        0" if model.on_cpu else "",
                "model_info": {"general.architecture": "llama", "llama.context_length": model.trained},
            }
            lines += [json.dumps(answer), "200"]
        gpu = [f"00000000:01:00.0, {self.gpu[0]}, {self.gpu[1]}"] if self.gpu else []
        disk = [] if self.disk is None else [str(self.disk // 1024)]
        return [
            *lines,
            "== lists",
            "== missing",
            *sorted(self.lost & shown),
            "== unreadable",
            "== gpu",
            *gpu,
            "== disk",
            *disk,
            "== blobs",
        ]

    def found(self) -> Observed:
        return parse_probe(self.probe())

    def details(self, models: list[str]) -> Details:
        return parse_details(models, self.show(models))

    # What a deploy does with it.

    def look(self, settings: Settings) -> Snapshot:
        """All that the steps are planned from."""
        observed = self.found()
        return Snapshot(settings, observed, self.details(questions(settings, observed)))

    def settled(self, settings: Settings) -> bool:
        return settled(Snapshot(settings, self.found()), render.modelfile)

    def plan(self, settings: Settings) -> list[Step]:
        """The steps from what is there to what is declared."""
        return [] if self.settled(settings) else steps(self.look(settings), render.modelfile)

    def deploy(self, settings: Settings) -> list[Step]:
        """Plans, takes the first step, and again; the steps that were taken. As operations/models.py does."""
        taken: list[Step] = []
        while planned := self.plan(settings):
            assert str(planned[0]) not in map(str, taken), f"{planned[0]}: still needed after it ran; giving up"
            taken.append(planned[0])
            self.apply(planned[0])
        return taken

    def warm_up(self) -> None:
        """host/warm.sh: the unit, and once more for a runner whose manifest is gone, so that none knows it."""
        for name in sorted(self.states):
            self.load(f"{name}:latest")
        for name in sorted(self.states):
            if residency(name, self.found(), self.details(list(self.tags))) is None:
                self.unload(f"{name}:latest", name)
                self.load(f"{name}:latest")
                self.reloaded.append(name)

    def faults(self, settings: Settings, needs_gpu: bool = False) -> dict[str, str]:
        """What is wrong with each slot, by name; nothing where all is well."""
        seen = self.look(settings)
        faults = {it.slot.name: fault(it, seen.observed, needs_gpu, details=seen.details) for it in seen.wanted}
        return {name: why for name, why in faults.items() if why}


def deployed(settings: Settings, world: World | None = None) -> World:
    """A host on which these settings were deployed, every slot hot."""
    world = world or World()
    world.deploy(settings)
    world.warm_up()
    return world

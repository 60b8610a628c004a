"""Model what was observed on a host."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, AliasPath, BaseModel, ConfigDict, Field

from ollama_slots.core import kinds, names, units
from ollama_slots.core.details import Details
from ollama_slots.core.gpus import Gpu


class Line(NamedTuple):
    """A line of a file on the host."""

    path: str
    number: int
    text: str


class _Answer(BaseModel):
    """Part of an API answer; what the engine adds in other versions is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Listed(_Answer):
    """A model that the engine lists in /api/tags; its digest is that of its manifest.

    From 0.40 on a name may be a manifest list, and have a row for each of its manifests: what it was made as, and
    what the engine has converted its weights to since (compatmigrate/migrate.go there).
    """

    name: str
    digest: str
    size: int
    modified_at: datetime | None = None  # when it was pulled or made: a name that is given to it later keeps that
    digests: frozenset[str] = frozenset()  # of all its rows; ``digest`` is that of one
    parent: str = Field("", validation_alias=AliasPath("details", "parent_model"))  # what a variant was made from


class Runner(_Answer):
    """An entry of /api/ps: weights in memory, under the name and digest by which they were loaded.

    ``size`` and ``size_vram`` in bytes, ``context_length`` in tokens.
    """

    name: str
    digest: str
    size: int
    size_vram: int = 0
    context_length: int = 0
    expires_at: str = ""

    @property
    def for_ever(self) -> bool:
        """Whether it stays until it is unloaded: the engine then shows a day some 292 years ahead."""
        return self.expires_at[:4] > "2200"

    @property
    def gigabytes_in_gpu(self) -> float:
        """GPU memory held, in GB (10^9 bytes)."""
        return self.size_vram / 1e9


class SlotState(BaseModel):
    """The record of a slot's last rotation: what its variant was made of, and the result."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: Annotated[str, AfterValidator(lambda text: names.parse(text).short)]  # the base, canonical
    modelfile: str  # sha256 of the Modelfile's text
    base: str  # manifest digest of the base
    weights: str  # sha256 of the blob that both run on
    context: int  # tokens to expect in /api/ps
    variant: str = ""  # manifest digest of the variant
    loaded: str = ""  # manifest digest by which the runner that serves it was loaded
    made: int = 0  # when the variant was made, in seconds since 1970 by the host's clock; 0: not known
    brought: str = ""  # when the engine lists the base as pulled, where this tool did: should the record be lost
    asks: kinds.Asks = ""  # by which of Ollama's API it is asked; nothing: to generate
    gpu: kinds.Lies = ""  # no: it need not be wholly in GPU memory, where the host asks for that

    def lines(self) -> str:
        """Return the state file without what rotate.sh adds: the digests of variant and runner, and when."""
        usual = {key for key in ("made", "asks", "gpu") if not getattr(self, key)}
        known = self.model_dump(exclude={"variant", "loaded"} | usual)
        return "\n".join(f"{key}={value}" for key, value in known.items())


class Models(BaseModel):
    """Where the process that serves keeps its models, and what root has there (host/sees.sh)."""

    model_config = ConfigDict(frozen=True)

    models: str  # the directory as the process has it
    path: str  # as root has it
    may: str  # what root may do there: "write", "read" or "nothing"
    names: frozenset[str] = frozenset()  # canonical keys of those that lie there
    whole: bool = False  # Ollama lists none, and one lies there that it could


class Observed(BaseModel):
    """A host as one probe saw it. None is unknown: the API did not answer, the process does not run."""

    model_config = ConfigDict(frozen=True)

    lacks: str | None = None  # what is needed of this host and not there, in words; nothing else is known then
    busy: str | None = None  # who is changing this host; nothing else is known then
    unit: str = units.DEFAULT  # of the Ollama in question
    units: dict[str, dict[str, str]] = Field(default_factory=dict)  # by name, what systemctl shows of each
    environ: dict[str, str] | None = None
    gpus: tuple[Gpu, ...] | None = None  # that Ollama found when it started
    cards: int | None = None  # that NVIDIA's driver has, asked where Ollama found none; None: it does not answer
    looked: bool = False  # that driver answered, too, when Ollama had just found none
    expects_gpu: bool = False  # the warm-up that is installed wants slots in GPU memory
    files: dict[str, str] = Field(default_factory=dict)  # path to sha256
    modelfiles: dict[str, str] = Field(default_factory=dict)  # the copies of slots' Modelfiles: name to sha256
    settings: tuple[Line, ...] = ()  # of what sets Ollama's environment: see host/settings.sh
    changed: dict[str, float] = Field(default_factory=dict)  # path of what does to when, in seconds since 1970
    started: float | None = None  # when Ollama's process was, likewise
    now: float = 0  # when it was looked at, likewise
    states: dict[str, SlotState] = Field(default_factory=dict)  # by variant name
    previous: dict[str, SlotState] = Field(default_factory=dict)  # of NAME:previous, by variant name
    bases: dict[str, datetime] = Field(default_factory=dict)  # that this tool pulled: when, by canonical key
    url: str | None = None  # at which Ollama is asked: as given, else where its process listens
    at: str | None = None  # the same, with a number for its host
    listens: str | None = None  # where its process takes connections
    warms: str | None = None  # where the warm-up that is installed asks
    version: str | None = None
    listed: dict[str, Listed] | None = None  # by canonical key
    runners: tuple[Runner, ...] | None = None
    live: frozenset[str] = frozenset()  # what running processes have on their command line: see ``lives``
    scraps: tuple[str, ...] = ()  # paths of what writes that were cut off left: see host/beside.sh
    container: str | None = None  # the program in whose container Ollama runs, or its own with another root
    store: Models | None = None
    since: str = ""  # what is another once somebody has changed the host: see host/since.sh
    details: Details | None = None  # where the same command asked for them

    @property
    def service(self) -> dict[str, str]:
        """What systemctl shows of Ollama's unit."""
        return self.units.get(self.unit, {})

    @property
    def warm_up(self) -> dict[str, str]:
        """What systemctl shows of the warm-up's unit."""
        return self.units.get(units.warm_up(self.unit), {})

    @property
    def watch_timer(self) -> dict[str, str]:
        """What systemctl shows of the timer that starts the watch."""
        return self.units.get(units.watch_timer(self.unit), {})

    @property
    def watch_fails(self) -> bool:
        """Whether the watch's last look has failed, as where systemd cannot have the sandbox of its unit."""
        return self.units.get(units.watcher(self.unit), {}).get("ActiveState") == "failed"

    @property
    def blind(self) -> bool:
        """Whether Ollama may have been started before the driver was ready: it found no GPU, and there is one."""
        return self.gpus == () and bool(self.cards) and not self.looked

    @property
    def has_gpu(self) -> bool:
        """Whether slots can be in GPU memory here, by what Ollama found.

        Where it found none, they can where it has to look again, or did find one at the last deploy. Where what it
        found is no longer known, by the driver, and by what is in GPU memory now.
        """
        if self.gpus is not None:
            return bool(self.gpus) or self.blind or self.expects_gpu
        return bool(self.cards) or self.expects_gpu or any(it.size_vram for it in self.runners or ())

    @property
    def changing(self) -> str | None:
        """Who changes what this host has in memory: what is planned now would be acted on after its end.

        A warm-up asks for all slots at once: the engine may load what a slot had after a rotation unloaded it. One
        that waits for Ollama where it was before loads nothing.
        """
        warms_up = self.warm_up.get("ActiveState") == "activating" and self.warms in {None, self.at}
        name = units.warm_up(self.unit).removesuffix(".service")
        loads = f"{name}, which loads the slots" if self.runners is not None and warms_up else None
        return self.busy or loads

    @property
    def where(self) -> str:
        """Where Ollama was asked, as the end of a message; nothing, where its process listens nowhere."""
        if self.url is None or self.listens in {None, self.url, self.at}:
            return f" at {self.url}" if self.url else ""
        return f" at {self.url}, the ollama_url (its process listens at {self.listens})"

    def leaves(self, runner: Runner) -> bool:
        """Return whether a runner is at work though its expiry has passed, such as one that was told to go.

        It goes when it is idle, unless whose answer takes that long has it stay (server/sched.go, v0.32.15).
        """
        if runner.for_ever:
            return False
        try:
            return datetime.fromisoformat(runner.expires_at).timestamp() <= self.now
        except ValueError:
            return False

    def lives(self, weights: str, *loaded: str) -> bool:
        """Return whether a process holds these weights.

        + loaded: manifest digests by which they may have been loaded: of split weights, Ollama names the first 12
          digits of that on the command line, and no blob (llm/model_split.go, v0.34.4)
        """
        return weights in self.live or any(digest[:12] in self.live for digest in loaded if digest)

    def entry(self, model: str) -> Listed | None:
        """Return a model that is there, whatever the spelling of its name."""
        return (self.listed or {}).get(names.parse(model).key)

    def digest(self, model: str) -> str | None:
        """Return the manifest digest of a model that is there."""
        listed = self.entry(model)
        return listed.digest if listed else None

    def digests(self, model: str) -> frozenset[str]:
        """Return all the manifest digests of a model that is there: one, but for a manifest list."""
        listed = self.entry(model)
        return listed.digests | {listed.digest} if listed else frozenset()

    def remembered(self, name: str) -> str | None:
        """Return the base of a slot whose state is lost: what Ollama shows, if the variant is one of ours."""
        listed = self.entry(name)
        return listed.parent or None if listed and name in self.modelfiles else None

    def cut_off(self, name: str) -> bool:
        """Return whether a rotation was interrupted: NAME:current is neither NAME nor what was made last.

        What was made last is not known where the state is lost, and the slot is made again then anyway.
        """
        state, serving = self.states.get(name), self.digests(name)
        candidate = self.digests(f"{name}:current")
        if state is None:
            return bool(candidate) and not serving
        return bool(candidate) and not candidate & {*serving, state.variant}

    def brought(self, model: str) -> bool:
        """Return whether a model is there as a deploy pulled it; whoever pulls it again makes it theirs."""
        key, listed = names.parse(model).key, self.entry(model)
        return listed is not None and key in self.bases and listed.modified_at == self.bases[key]

    def spelling(self, model: str) -> str:
        """Return a model's name as the host has it: to the engine's create, unlike to its API, case counts."""
        listed = self.entry(model)
        return listed.name if listed else model

"""What both sides are told to have on the hosts, laid out as each of them wants it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import access, network
from ollama_slots.core.observed import Observed
from ollama_slots.core.settings import Settings, Slot
from ollama_slots.core.targets import Target
from ollama_slots.host import render, scripts
from tests.lab.fleet import ROOT, Project, model

PLAYBOOK = ROOT / "tests" / "performance" / "playbook"
BARE = Path(__file__).with_name("bare.sh")
SSH_CONFIG_HOST = """\
Host {name}
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts}
    StrictHostKeyChecking yes
    ConnectTimeout 60

"""


@dataclass(frozen=True)
class Job:
    """What the four slots hold, and which two models slot 1 changes between; by default the smallest window."""

    slot1: tuple[str, str]
    slot1_num_ctx: int
    num_ctx: int = 512

    def data(self, second: bool = False) -> dict[str, Any]:
        """The data of a host, as ``group_data`` has them.

        + second: slot 1 holds the second of its models
        """
        bases = (self.slot1[second], *(model(f"smollm2{it}:135m") for it in ("", "-chat", "-math")))
        slots = {f"slot{number}_model": base for number, base in enumerate(bases, 1)}
        windows = {f"slot{number}_num_ctx": self.num_ctx for number in (2, 3, 4)}
        return {**slots, **windows, "slot1_num_ctx": self.slot1_num_ctx, "pull_insecure": True}

    @property
    def bases(self) -> list[str]:
        """Every model that it needs."""
        return [*self.slot1, *(str(it) for key, it in self.data().items() if key in _models(2, 3, 4))]


def _models(*numbers: int) -> set[str]:
    return {f"slot{number}_model" for number in numbers}


# 20 hosts share this machine's memory: the smallest model there is, and a window to match.
SMALL = Job((model("smollm2-coder:135m"), model("smollm2-spare:135m")), 512)
# The most that loads cost here: the largest model there is, and every window whole. (A load with a small window
# takes 250 ms, after which the engine first looks whether it is through: some took twice that by luck.)
LARGE = Job((model("gemma3:270m"), model("gemma3-copy:270m")), 32768, 8192)


def defaults() -> dict[str, Any]:
    """The data of ``group_data/all.py``."""
    data: dict[str, Any] = {}
    exec((ROOT / "group_data" / "all.py").read_text(encoding="utf-8"), data)
    return {key: it for key, it in data.items() if not callable(it) and not key.startswith("__")}


def ssh_config(names: list[str], ports: list[int], path: Path) -> Path:
    """An ssh_config in which the hosts are behind these ports of this machine, and their keys are checked.

    + path: a directory for it
    """
    keys = {}
    for line in access.KNOWN_HOSTS.read_text().splitlines():
        hosts, key = line.split(maxsplit=1)
        keys[hosts.partition(",")[0]] = key
    known_hosts, config = path / "known_hosts", path / "ssh_config"
    lines = [f"[127.0.0.1]:{port} {keys[name]}\n" for name, port in zip(names, ports, strict=True)]
    known_hosts.write_text("".join(lines))
    paths = {"key": access.KEY, "known_hosts": known_hosts}
    entries = [SSH_CONFIG_HOST.format(name=it, port=port, **paths) for it, port in zip(names, ports, strict=True)]
    config.write_text("".join(entries))
    return config


def addresses(names: list[str]) -> list[str]:
    """Where the hosts are on the lab's own network."""
    return [network.address(name) for name in names]


def project(path: Path, names: list[str], config: Path, job: Job) -> Project:
    """Ours: a copy of the project with these hosts and data.

    + path: an empty directory
    """
    copy = Project(path)
    (path / "inventory.py").write_text(f"bench = {names!r}\n")
    data = {**job.data(), "ssh_config_file": str(config)}
    (path / "group_data" / "bench.py").write_text("".join(f"{key} = {it!r}\n" for key, it in data.items()))
    return copy


def playbook(path: Path, names: list[str], job: Job) -> None:
    """Ansible's: its inventory, and for each of slot 1's models its variables and the files that ours renders."""
    (path / "hosts").write_text("".join(f"{name}\n" for name in names))
    engine = scripts.libraries("engine")
    for second in (False, True):
        settings = _settings(job, second)
        files = path / f"files-{int(second)}"
        files.mkdir()
        observed = Observed(at="http://127.0.0.1:11434", has_gpu=True)
        ours = render.service(settings).files | render.warm_up(settings, observed)
        for place, (_, text) in ours.items():
            (files / Path(place).name).write_text(text)
        (files / "create.sh").write_text(engine + (PLAYBOOK / "create.sh").read_text())
        slots = []
        for slot in settings.slots:
            base = str(slot.model)
            (files / f"{slot.name}.Modelfile").write_text(_modelfile(slot))
            slots.append({"name": slot.name, "base": base, "num_ctx": slot.num_ctx})
        (path / f"slots-{int(second)}.json").write_text(json.dumps({"slots": slots, "files": str(files)}))


def bare(path: Path, job: Job) -> None:
    """The bare script's, for each of slot 1's models: with the environment and the Modelfiles of ours."""
    for second in (False, True):
        settings = _settings(job, second)
        own = scripts.paths()["environment_file"]
        calls = [_file("service", render.service(settings).files[own][1])]
        calls += [_file(f"slot {slot.name} {slot.model}", _modelfile(slot)) for slot in settings.slots]
        (path / f"bare-{int(second)}.sh").write_text("".join([BARE.read_text(), *calls]))


def _settings(job: Job, second: bool) -> Settings:
    return Settings.of({**defaults(), **job.data(second)})


def _modelfile(slot: Slot) -> str:
    return render.modelfile(Target(slot, str(slot.model), slot.num_ctx))


def _file(call: str, text: str) -> str:
    return f"{call} <<'END'\n{text.rstrip()}\nEND\n"

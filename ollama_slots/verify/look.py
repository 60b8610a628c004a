"""Look at a host from outside, over SSH, by what Ollama and systemd say of themselves.

Nothing here asks the deploy's own code: it would be right together with it, and wrong together with it.
"""

from __future__ import annotations

import json
import re
import shlex
from functools import cached_property
from typing import NoReturn

import pytest
import testinfra

from ollama_slots.core import names
from ollama_slots.core.settings import EMPTY, Slot
from ollama_slots.run.inventory import Declared
from ollama_slots.verify.inventory import ssh_url
from ollama_slots.verify.models import Answer, Model, shown

MARK = "seen|"  # before each line of a command; what a login prints has none


def whole(command: str, *arguments: str) -> str:
    """Return a command as it is sent: to be the same in sh, fish and csh, whichever is the login shell.

    + arguments: quoted, each for one %s of it
    """
    quoted = command % tuple(map(shlex.quote, arguments)) if arguments else command
    text = f"{{ {{ {quoted} ; }} 2>&1; echo; }} | sed 's/^/{MARK}/'"
    for it, escape in (("\\", r"\0134"), ("\n", r"\n"), ("'", r"\0047"), ("!", r"\0041")):
        text = text.replace(it, escape)
    return f'sh -c \'eval "$(printf %b "$1")"\' look {shlex.quote(text)}'


def own(output: str) -> str | None:
    """Return what a command printed, of all that came; None where it never ran."""
    lines = [line.partition(MARK)[2] for line in output.split("\n") if MARK in line]
    return "\n".join(lines) if lines else None


class Look:
    """One host. What is read once is kept: what was loaded is what was loaded before anything was asked."""

    def __init__(self, host: Declared, ssh_config: str) -> None:
        """Take the host as declared, and the path of an ssh_config that knows it."""
        self.name, self.settings = host.name, host.settings
        self.unit = host.settings.ollama_unit
        stem = self.unit.removesuffix(".service").replace(
            "@", "--"
        )  # what all that is this Ollama's is named after
        self.warm_up = f"{stem}-warmup.service"
        self.watch = f"{stem}-slots-watch.timer"
        self.states, self.modelfiles = f"/var/lib/{stem}-slots", f"/etc/{stem}/modelfiles"
        self._gone = ""
        self._shown: dict[str, Model | None] = {}
        self._states: dict[str, dict[str, str]] = {}
        local = host.name == "@local"
        self._host = testinfra.get_host(
            "local://" if local else ssh_url(host),
            **({} if local else {"ssh_config": ssh_config}),
            sudo=host.data.get("_sudo") is True,
        )

    def _fail(self, message: str) -> NoReturn:
        pytest.fail(f"{self.name}: {message}", pytrace=False)

    def run(self, command: str, *arguments: str) -> str:
        """Return what a command prints, errors included; each %s of it is an argument, quoted."""
        if self._gone:
            self._fail(self._gone)
        try:
            ran = self._host.run(whole(command, *arguments))
            printed = own(ran.stdout)
            return str(
                ran.stderr if printed is None else printed
            ).strip()  # sudo's own complaint is not the command's
        except RuntimeError as error:  # what testinfra makes of ssh's exit status 255
            said = str(getattr(error.args[0], "stderr", error)).strip().splitlines()
            # Once is enough: each further try would wait for the connection again.
            self._gone = f"cannot be reached: {said[-1].strip() if said else 'ssh failed'}"
            self._fail(self._gone)

    def api(self, path: str, body: Answer | None = None, seconds: int = 60) -> Answer:
        """Return what Ollama answers; ``error`` in it says what it does not."""
        data = () if body is None else (json.dumps(body),)
        # Past the proxy that an environment or a .curlrc names: they are for the way out.
        command = f"curl -q -sS --noproxy '*' --max-time {seconds} {'-d %s ' * len(data)}%s"
        said = self.run(command, *data, self.url + path)
        try:
            answer: Answer = json.loads(said)
        except ValueError:
            self._fail(f"expected an answer of Ollama at {self.url}{path}, found {said[:200]!r}")
        return answer

    def _of_processes(self, kind: str) -> str:
        """Return a command that prints the paths of a file of each process of this Ollama's unit."""
        in_unit = f"/{self.unit.replace('.', '[.]')}(/|$)"
        return f"grep -lsE '{in_unit}' /proc/[0-9]*/cgroup | sed 's/cgroup$/{kind}/'"

    @cached_property
    def environ(self) -> dict[str, str]:
        """What the running Ollama has in its environment, be it started by its unit or by a script of that."""
        serves = self.run(f"grep -lz '^serve$' $({self._of_processes('cmdline')}) /dev/null")
        said = self.run("tr '\\0' '\\n' <%s", serves.partition("\n")[0].replace("cmdline", "environ"))
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    @cached_property
    def url(self) -> str:
        """Where Ollama answers: as given, else as its own OLLAMA_HOST says (what it takes that for: envconfig)."""
        if self.settings.ollama_url:
            return self.settings.ollama_url
        scheme, _, rest = self.environ.get("OLLAMA_HOST", "").strip(" \t\"'").rpartition("://")
        port = {"http": "80", "https": "443"}.get(scheme, "11434")
        host = rest.partition("/")[0]
        if ip := re.fullmatch(r"\[?([0-9a-fA-F:]*:[0-9a-fA-F.:]*:[0-9a-fA-F.]*)\]?", host):
            host = f"[{ip[1]}]"
        elif split := re.fullmatch(r"(.*):([^:\]]*)", host):
            host, given = split.groups()
            port = given if given.isdecimal() and int(given) < 65536 else port
        loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
        return f"http://{loopback.get(host, host)}:{port}"

    @cached_property
    def digests(self) -> dict[str, str]:
        """The manifest digest of each model that is there, by name as Ollama lists it, in lower case."""
        return {it["name"].lower(): it["digest"] for it in self.api("/api/tags")["models"] or []}

    @cached_property
    def runners(self) -> list[Answer]:
        """What is in memory, before any test has asked a model for anything."""
        return self.api("/api/ps")["models"] or []

    @cached_property
    def processes(self) -> frozenset[str]:
        """The weights (sha256) that stand on the command line of a process of this Ollama's.

        Of split ones, the first 12 digits of the manifest's digest by which they were loaded.
        """
        ours = self._of_processes("cmdline")
        held = "sha256-[0-9a-f]*$|[.]ollama-split-[0-9a-f]{12}"
        said = self.run(f"cat $({ours}) /dev/null | tr '\\0' '\\n' | grep -oE '{held}'")
        return frozenset(line.rpartition("-")[2] for line in said.splitlines())

    @cached_property
    def store(self) -> str:
        """The directory in which the running Ollama keeps its models."""
        return self.environ.get("OLLAMA_MODELS") or f"{self.environ.get('HOME', '')}/.ollama/models"

    @cached_property
    def requires_gpu(self) -> bool:
        """Whether a slot has to be wholly in GPU memory here."""
        if self.settings.require_gpu == "auto":
            invocation = f"$(systemctl show --property=InvocationID --value {self.settings.ollama_unit})"
            log = self.run(
                f"journalctl -q -o cat _SYSTEMD_INVOCATION_ID={invocation} | grep -a 'inference compute' || true"
            )
            if log:  # what Ollama found when it was started
                return any("library=cpu" not in line for line in log.splitlines())
            return bool(self.run("nvidia-smi --list-gpus 2>/dev/null || true"))
        return self.settings.require_gpu

    def digest(self, name: str) -> str | None:
        """Return the manifest digest of a model that is there."""
        return self.digests.get(names.parse(name).short.lower())

    def model(self, name: str) -> Model | None:
        """Return a model that is there, its weights too."""
        key = names.parse(name).key
        if key not in self._shown:
            self._shown[key] = shown(self.api("/api/show", {"model": name}))
        return self._shown[key]

    def state(self, slot: Slot) -> dict[str, str]:
        """Return what the last deploy recorded of a slot: the warm-up at boot goes by it."""
        if slot.name not in self._states:
            said = self.run("cat %s 2>/dev/null || true", f"{self.states}/{slot.name}.slot")
            self._states[slot.name] = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        return self._states[slot.name]

    def base(self, slot: Slot) -> str | None:
        """Return the base that a slot is to have. One that is not declared is left as a deploy last set it."""
        model = slot.model or self.state(slot).get("model")
        return None if model == EMPTY else model

    def sharing(self, slot: Slot) -> list[Slot]:
        """Return the slots whose bases have the weights of this one's, itself included: they have one runner."""

        def weights(it: Slot) -> object:
            base = self.base(it)
            model = self.model(base) if base else None
            return model.weights if model else base and names.parse(base).key

        return [it for it in self.settings.slots if weights(it) == weights(slot)]

    def runner(self, slot: Slot) -> Answer | None:
        """Return the runner that serves a slot: loaded under its name, or under any other with the same weights.

        /api/ps keeps the name and digest by which it was loaded: a rotation's NAME:current, as a rule. Where that
        digest has been replaced twice, no model has it any more, and only the process tells the weights.
        """
        processes, variant = self.processes, self.model(slot.tagged)
        named = {digest: name for name, digest in self.digests.items()}
        nameless = None
        for runner in self.runners if variant else []:
            if runner["digest"] in named:
                loaded = self.model(named[runner["digest"]])
                if loaded and variant and loaded.weights == variant.weights:
                    return runner
            elif (
                variant
                and runner["name"].startswith(f"{slot.name}:")
                and processes
                & {
                    *variant.weights,
                    runner["digest"][:12],
                }
            ):
                nameless = runner
        return nameless

    def dead(self, slot: Slot) -> bool:
        """Return whether a slot's runner has ended: /api/ps lists it until the next request loads it anew."""
        variant, runner = self.model(slot.tagged), self.runner(slot)
        split = {runner["digest"][:12]} if runner else set()
        # An engine that names its weights on no command line says nothing of any.
        return bool(variant and self.processes and not (variant.weights | split) & self.processes)

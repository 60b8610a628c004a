"""Operations on pyinfra's @fake connector, against a World: what a command would do to a host, it does to that."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops

from ollama_slots.core.plan import questions, together
from ollama_slots.core.settings import Settings
from ollama_slots.host import render, scripts
from ollama_slots.run import errors, table
from tests.unit.complaint import complaint
from tests.unit.host.seam import joined, marked, sent
from tests.unit.world import World


class Asked(dict[str, Any]):
    """A response that is made when its command comes, for @fake's own are the same every time."""

    def __init__(self, make: Callable[[], list[str] | None]) -> None:
        super().__init__()
        self.make = make

    def get(self, key: str, default: Any = None) -> Any:
        said = self.make() if key == "stdout" else None
        return marked(said) if said else default


class Answers(dict[str, Any]):
    """What a host answers to each script, by words of it or its name; a command may be several of them."""

    commands: list[str]  # that the host was given

    def __init__(self, of: Any, world: World | None = None) -> None:
        super().__init__(of)
        self.world = world

    def __or__(self, others: Any) -> Answers:  # type: ignore[override]
        return Answers(super().__or__(others), self.world)

    def items(self) -> Any:
        """The one answer to the command that was given last, which @fake looks for: whatever that is."""
        return [("", self._all())]

    def _all(self) -> dict[str, Any]:
        lines: list[str] = []
        expected = re.search(r'if \[ "\$\(since\)" = (\w+) \]; then', sent(self.commands[-1]))
        if self.world and expected and expected[1] != self.world.since():
            return {"stdout": marked([scripts.CHANGED])}
        for part in parts(self.commands[-1]):
            if self.world:
                self.world.runs = part
            found = next((it for words, it in super().items() if words in part), "")
            said = found if isinstance(found, dict) else {"stdout": found}
            lines += said.get("stdout") or []
            if not said.get("success", True):
                return {"success": False, "stdout": lines, "stderr": said.get("stderr")}
            end = joined(["== end"])
            if self.world and lines and lines[-1].endswith(end) and self._shows(part, lines):
                lines[-1] = lines[-1].removesuffix(end) + joined(self.world.show(listed(part))) + end
        return {"stdout": lines}

    @staticmethod
    def _shows(part: str, lines: list[str]) -> bool:
        """Whether a look asks what models are made of, too."""
        said = " ".join(lines)
        new = [it for it in argument(part, "declared").split() if f"/ollama-slots/{it}.slot:" not in said]
        return argument(part, "shows") == "yes" or (argument(part, "shows") == "new" and bool(new))


def called(command: str) -> str:
    """The scripts of a command: NAME+NAME."""
    [names] = re.findall(r" ollama-slots/(\S+) '", command)
    return str(names)


def parts(command: str) -> list[str]:
    """Each script of a command, as its name, what it is given, and its text."""
    names, text = called(command).split("+"), sent(command.rsplit("'", 2)[1])
    needed = [scripts.PATHS, *scripts.resolved(*names, *([scripts.SINCE] if '"$(since)"' in text else []))]
    *_, last = (it for it in needed if it not in names)
    rest = text.partition(scripts.source(last))[2]
    found = []
    for name in names:
        before, own, rest = rest.partition(scripts.source(name))
        found.append(f"ollama-slots/{name} {before}{own}")
        while name in {"pull", "fetch", "rotate"} and scripts.source(name) in rest:
            rest = rest.partition(scripts.source(name))[2]
    return found


def argument(part: str, name: str) -> str:
    """What a script is given as one of its arguments."""
    found = re.search(rf"^{name}=(.*)$", part, re.MULTILINE)
    return shlex.split(found[1])[0] if found and found[1] else ""


def listed(part: str) -> list[str]:
    """What a script lists."""
    first, *_ = scripts.said(part.split(maxsplit=1)[0].removeprefix("ollama-slots/"), "takes") or [""]
    return shlex.split(part.partition("set --")[2].partition(f"\n{first}=")[0])


def install(world: World, settings: Settings, chosen: list[str] | None = None) -> None:
    """Puts the files in place, all of them or the chosen paths."""
    found = world.found()
    ours = render.service(settings).files | render.warm_up(settings, found) | render.watch(settings, found)
    texts = {path: text for path, (_, text) in ours.items()}
    for path in texts if chosen is None else chosen:
        world.files[path] = sha256(texts[path].encode()).hexdigest()
        if path == scripts.path("warm_up_script"):
            world.warms = found.at or ""


def answers(world: World, settings: Settings) -> Answers:
    """What the host says to the scripts, and what they do to it."""

    world.given = settings.ollama_url or ""

    def put() -> None:
        install(world, settings, listed(world.runs)[0::3])
        world.files.pop(argument(world.runs, "gone"), None)

    def restart() -> None:
        world.restart()
        world.most, world.keep_alive = settings.loaded_models, str(settings.keep_alive)

    def watch() -> None:
        if argument(world.runs, "verb") == "start":
            world.watch = {"ActiveState": "active", "UnitFileState": "enabled", "LoadState": "loaded"}
        else:
            world.watch = {"LoadState": "not-found"}
            for path in render.watch(settings.model_copy(update={"watch": "heal"}), world.found()):
                world.files.pop(path, None)

    def look() -> None:
        world.looked = "inactive"

    def steps() -> None:
        for it in together(world.plan(settings)):
            world.apply(it)

    said = {
        "ollama-slots/install": Asked(put),  # first, for what is installed has words of the others in it
        "== units": Asked(world.probe),
        "ollama-slots/details": Asked(lambda: world.show(questions(settings, world.found()))),
        "verb=restart": Asked(restart),
        "ollama-slots/watching": Asked(watch),
        "ollama-slots/looking": Asked(look),
        "ollama-slots/warm": Asked(world.warm_up),
        "ollama-slots/pull": Asked(steps),
        "ollama-slots/fetch": Asked(steps),
        "ollama-slots/rotate": Asked(steps),
        "ollama-slots/remove": Asked(steps),
    }
    return Answers(said, world)


def _unreached() -> None:
    raise ConnectError("no route to host")


class Run:
    """One run of pyinfra: every operation on every host.

    + operations: to run, in order
    + dry: as with ``--dry``, else as with ``-y``
    + followed: it ends with the slot table, as the deploys see to
    + hosts: by name, what each answers; None: it cannot be connected to
    """

    def __init__(
        self,
        operations: list[Any],
        settings: Settings,
        dry: bool = False,
        followed: bool = False,
        **hosts: dict[str, Any] | None,
    ) -> None:
        names = {name: f"@fake/{name}" for name in hosts}
        data = {"fake_delay": 0, "fake_delay_jitter": 0}
        named = [(names[name], data | {"fake_responses": it or {}}) for name, it in hosts.items()]
        inventory = Inventory((named, {}))  # type: ignore[no-untyped-call]
        self.state = State(inventory, Config(), check_for_changes=dry)  # type: ignore[no-untyped-call]
        for name in (it for it, answered in hosts.items() if answered is None):
            vars(inventory.get_host(names[name]).connector)["connect"] = _unreached
        connect_all(self.state)
        for name, answered in hosts.items():
            it = vars(inventory.get_host(names[name]).connector)
            if isinstance(answered, Answers):
                answered.commands = it["executed_commands"]
                it["data"]["fake_responses"] = answered  # and no copy of what is in it
        if followed:
            errors.listen()
            for host in inventory.iter_activated_hosts():
                table.follow(host, settings)
        self.results = [add_op(self.state, operation, settings=settings) for operation in operations]
        if not dry:
            assert complaint(run_ops, self.state) in ("", "No hosts remaining!")
        self.failed = {name for name in hosts if inventory.get_host(names[name]) in self.state.failed_hosts}
        self.commands: dict[str, list[str]] = {
            name: vars(inventory.get_host(names[name]).connector)["executed_commands"] for name in hosts
        }
        self.scripts = {name: [*map(called, it)] for name, it in self.commands.items()}
        self.changed = {
            name: any(
                it.will_change if dry else it.did_change()
                for it in (result[inventory.get_host(names[name])] for result in self.results)
            )
            for name in hosts
            if name not in self.failed
        }

"""Operations on pyinfra's @fake connector, against a World: what a command would do to a host, it does to that."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops

from ollama_slots.core.plan import questions
from ollama_slots.core.settings import Settings
from ollama_slots.host import render
from ollama_slots.run import table
from tests.unit.complaint import complaint
from tests.unit.host.seam import marked
from tests.unit.world import World


class Asked(dict[str, Any]):
    """A response that is made when its command comes, for @fake's own are the same every time."""

    def __init__(self, make: Callable[[], list[str] | None]) -> None:
        super().__init__()
        self.make = make

    def get(self, key: str, default: Any = None) -> Any:
        said = self.make() if key == "stdout" else None
        return marked(said) if said else default


def answers(world: World, settings: Settings) -> dict[str, Any]:
    """What the host says to the scripts that tell apart by these words, and what they do to it."""

    world.given = settings.ollama_url or ""

    def install() -> None:
        files = render.service(settings).files | render.warm_up(settings, world.found())
        world.warms = world.found().at or ""
        world.files |= {path: sha256(text.encode()).hexdigest() for path, (_, text) in files.items()}

    def restart() -> None:
        world.restart()
        world.most, world.keep_alive = settings.loaded_models, str(settings.keep_alive)

    def step() -> None:
        world.apply(world.plan(settings)[0])

    return {
        "ollama-slots/install": Asked(install),  # first, for what is installed has words of the others in it
        "== units": Asked(world.probe),
        "== show": Asked(lambda: world.show(questions(settings, world.found()))),
        "verb=restart": Asked(restart),
        "ollama-slots/warm": Asked(world.warm_up),
        "ollama-slots/pull": Asked(step),
        "ollama-slots/fetch": Asked(step),
        "ollama-slots/rotate": Asked(step),
        "ollama-slots/remove": Asked(step),
    }


class Run:
    """One run of pyinfra: every operation on every host.

    + operations: to run, in order
    + dry: as with ``--dry``, else as with ``-y``
    + followed: it ends with the slot table, as the deploys see to
    + hosts: by name, what each answers
    """

    def __init__(
        self,
        operations: list[Any],
        settings: Settings,
        dry: bool = False,
        followed: bool = False,
        **hosts: dict[str, Any],
    ) -> None:
        names = {name: f"@fake/{name}" for name in hosts}
        data = {"fake_delay": 0, "fake_delay_jitter": 0}
        named = [(names[name], data | {"fake_responses": it}) for name, it in hosts.items()]
        inventory = Inventory((named, {}))  # type: ignore[no-untyped-call]
        self.state = State(inventory, Config(), check_for_changes=dry)  # type: ignore[no-untyped-call]
        connect_all(self.state)
        if followed:
            table.follow(self.state)
        self.results = [add_op(self.state, operation, settings=settings) for operation in operations]
        if not dry:
            assert complaint(run_ops, self.state) in ("", "No hosts remaining!")
        self.failed = {name for name in hosts if inventory.get_host(names[name]) in self.state.failed_hosts}
        self.commands: dict[str, list[str]] = {
            name: vars(inventory.get_host(names[name]).connector)["executed_commands"] for name in hosts
        }
        self.changed = {
            name: any(
                it.will_change if dry else it.did_change()
                for it in (result[inventory.get_host(names[name])] for result in self.results)
            )
            for name in hosts
            if name not in self.failed
        }

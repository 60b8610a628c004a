"""The model store of a host of plain values, and what a removal of what nothing declares does to it."""

import json

from ollama_slots.core import names
from ollama_slots.core.prune import Row, listing
from ollama_slots.core.settings import Settings
from ollama_slots.core.steps import Remove
from ollama_slots.core.stored import WEIGHTS, Stored
from ollama_slots.host.stored import parse_stored
from tests.unit.world import World, digest

SMALL = 500  # bytes of what a model has beside its weights


def print_stored(world: World) -> list[str]:
    """The output of host/stored.sh."""
    lines = ["== manifests"]
    for name, model in world.tags.items():
        layer = {"mediaType": WEIGHTS, "digest": f"sha256:{model.weights}", "size": model.size}
        config = {"digest": f"sha256:{digest(model.digest)}", "size": SMALL}
        manifest = {"layers": [layer | ({"from": model.made_of} if model.made_of else {})], "config": config}
        lines.append(f"{'/'.join(names.parse(name))} {json.dumps(manifest)}")
    left = [f"{blob.removeprefix('sha256:')} {rest}" for blob, rest in world.unfinished.items()]
    return [*lines, "== parts", "== unfinished", *left, "== end"]


def stored(world: World) -> Stored:
    return parse_stored(print_stored(world))


def rows(world: World, settings: Settings) -> list[Row]:
    return listing(settings, world.found(), stored(world))


def steps(world: World, settings: Settings) -> list[Remove]:
    return [row.step for row in rows(world, settings) if row.step]


def can_go(world: World, settings: Settings) -> dict[str, int]:
    """The bytes that each frees, by name."""
    return {row.name: row.frees for row in rows(world, settings) if row.step}


def stays(world: World, settings: Settings) -> dict[str, str]:
    """Why each stays, by name."""
    return {row.name: row.why for row in rows(world, settings) if not row.step}


def prune(world: World, settings: Settings) -> list[Remove]:
    """As operations/prune.py does it: the steps that were taken."""
    taken = []
    while planned := steps(world, settings):
        assert planned[0] not in taken, f"{planned[0]}: still needed after it ran; giving up"
        taken.append(planned[0])
        world.apply(planned[0])
    return taken

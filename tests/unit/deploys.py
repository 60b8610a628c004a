"""What the tests of the operations deploy, and the running of it on a host of plain values."""

from typing import Any

from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.service import service
from ollama_slots.operations.warm_up import proof, warm_up
from tests.unit.declared import declared
from tests.unit.fake import Run, answers
from tests.unit.world import World

ALL = [preflight, service, models, warm_up, proof]
AB = declared("a:1b", "b:1b", max_loaded_models=9)


def run(world: World, *which: Any) -> Run:
    return Run(list(which), AB, gpu=answers(world, AB))

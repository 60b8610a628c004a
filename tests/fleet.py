"""What a person reads at the end of a deploy to 200 hosts, in docs/status.md: ``make pages`` writes it anew."""

from __future__ import annotations

import logging
import re
import tempfile
from contextlib import chdir
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyinfra import logger

from ollama_slots.run.report import DEFAULT
from tests.unit.declared import declared
from tests.unit.deploys import ALL
from tests.unit.fake import Run, answers
from tests.unit.world import World

PAGE = Path(__file__).parents[1] / "docs" / "status.md"
BLOCK = re.compile(r"(?<=<!-- of 200 simulated hosts, by make pages -->\n\n)(?:(?:    .*)?\n)+?(?=\n[^ ])")
HOSTS = 200
BIG, UNREACHED, MASKED = {"gpu017", "gpu055", "gpu102", "gpu140"}, {"gpu003", "gpu188"}, "gpu091"
NAMES = {
    "slot1_name": "coding-primary",
    "slot2_name": "general-primary",
    "slot3_name": "backup",
    "slot4_name": "experimental",
}
SETTINGS = declared(
    *("qwen2.5-coder:14b", "llama3.1:8b", "deepseek-coder-v2:16b", "mistral:7b"), **NAMES, require_gpu=True
)


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage().replace("@fake/", ""))


def deployed() -> World:
    """A host on which everything is as declared."""
    world = World(gpu=(81920, 81920))
    assert not Run(ALL, SETTINGS, gpu=answers(world, SETTINGS)).failed
    return world


def answered(ready: World, number: int) -> tuple[str, Any]:
    """A host of the fleet, and what it answers; None: it cannot be connected to."""
    name = f"gpu{number:03}"
    if name in UNREACHED:
        return name, None
    world = deepcopy(ready)
    if name == MASKED:
        world.service["LoadState"] = "masked"
    if name in BIG:  # other programs have more or less of its GPU memory
        weights = world.tags["deepseek-coder-v2:16b"].weights
        world.runners[weights] = replace(world.runners[weights], in_gpu=0.5 + number / 1000)
        return name, answers(world, SETTINGS) | {"ollama-slots/warm": {"stdout": []}}
    return name, answers(world, SETTINGS)


def deploy() -> tuple[list[str], str]:
    """Deploy to the fleet. Returns what was logged, and the report that it wrote."""
    kept, level = _Lines(), logger.level
    with tempfile.TemporaryDirectory() as directory:
        ready = deployed()
        hosts = dict(answered(ready, number) for number in range(1, HOSTS + 1))
        with chdir(directory):
            logger.addHandler(kept)
            logger.setLevel(logging.INFO)
            try:
                Run(ALL, SETTINGS, False, True, **hosts)
            finally:
                logger.removeHandler(kept)
                logger.setLevel(level)
            return kept.lines, Path(DEFAULT).read_text(encoding="utf-8").replace("@fake/", "")


def shown(lines: list[str]) -> list[str]:
    """Return the summary among what was logged."""
    first = lines.index("--> Slots:")
    last = next(it for it, line in enumerate(lines) if line.endswith(DEFAULT))
    return lines[first : last + 1]


def page(text: str, lines: list[str]) -> str:
    """The page with this summary in it."""
    return BLOCK.sub(lambda _: "".join(f"    {it}\n" for it in lines), text, count=1)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), shown(deploy()[0])), encoding="utf-8")

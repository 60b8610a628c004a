"""Read the inventory as a deploy does: hosts and their data, through pyinfra itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core import units
from ollama_slots.core.settings import Settings
from ollama_slots.host.desired import settings_of, with_defaults

PROGRESS = ("Loading config", "Loading inventory")  # what pyinfra says of itself
SECONDS = 120  # for an inventory, which may ask others for its hosts


@dataclass(frozen=True)
class Declared:
    """A host of the inventory, its data merged as a deploy merges them, and read as a deploy reads them."""

    name: str
    data: Mapping[str, Any]
    settings: Settings


def declared(root: Path, inventory: str) -> list[Declared]:
    """Return the hosts of an inventory file.

    + root: the project's, whose group_data counts
    + inventory: the file, as pyinfra takes it

    Raises ValueError with one line where there are none, or where their data are not what a deploy takes.
    """
    command = [sys.executable, "-m", "pyinfra", inventory, "debug-inventory", "--json"]
    try:
        ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{inventory}: expected its hosts within {SECONDS} s, found that it goes on") from None
    # An inventory that is not there is an empty list and exit status 0 to pyinfra; to a check it is a failure.
    hosts = _said(ran.stdout) if ran.returncode == 0 else []
    if not hosts:
        told = (line.strip().removeprefix("--> ") for line in ran.stderr.splitlines() if line.strip())
        said = [it for it in told if not it.startswith(PROGRESS)]
        said = said[-1:] if "Traceback" in ran.stderr else said
        raise ValueError(f"{inventory}: expected hosts, found none. {' '.join(said)}")
    try:
        found = [
            Declared(it["name"], it["data"], settings_of(it["name"], with_defaults(it["data"]))) for it in hosts
        ]
    except PyinfraError as error:
        raise ValueError(str(error)) from None
    if wrong := units.twice((it.name, it.data) for it in found):
        raise ValueError(wrong)
    return found


def _said(stdout: str) -> list[Any]:
    """Return the hosts that pyinfra printed, on one line: after what the inventory, which is Python, may print."""
    for line in reversed(stdout.splitlines()):
        if line.startswith("["):
            with suppress(ValueError):
                return list(json.loads(line))
    return []

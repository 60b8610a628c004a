"""Name the systemd units of one Ollama: its own, and our warm-up; a host may have several, each with its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

DEFAULT = "ollama.service"
SSH_CONFIG = "~/.ssh/config"  # where ssh_config_file is not set
_WORD = r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*"
UNIT = rf"{_WORD}(@{_WORD})?"
LONGEST = 64  # of a name without .service: files and units of ours are named after it
OF_WARM_UP = "-warmup"
OF_WATCH = ("-slots-watch", "-slots-heal")


def whole(name: str) -> str:
    """Return a unit's whole name: ``ollama`` is ``ollama.service``.

    Raises ValueError for what is no unit of an Ollama.
    """
    short = name.removesuffix(".service")
    if not re.fullmatch(UNIT, short) or len(short) > LONGEST:
        raise ValueError(
            "expected a systemd unit such as ollama-gpu1.service or ollama@1.service, of letters, digits, "
            f"single - and _, {LONGEST} at most, found {name!a:.60}"
        )
    for it, whose in ((OF_WARM_UP, "a warm-up's"), *((of, "a watch's") for of in OF_WATCH)):
        if short.endswith(it):
            raise ValueError(f"expected Ollama's own unit, found {name!a:.60}, which has the name of {whose}")
    return f"{short}.service"


def stem(unit: str) -> str:
    """Return what all that is ours of this Ollama is named after: ``ollama`` for ``ollama.service``.

    An instance's @ is -- in it, which no other name may have: ``ollama@1-warmup`` would be one more instance.
    """
    return unit.removesuffix(".service").replace("@", "--")


def warm_up(unit: str) -> str:
    """Return the name of its warm-up unit."""
    return f"{stem(unit)}{OF_WARM_UP}.service"


def watch_timer(unit: str) -> str:
    """Return the name of the timer that starts its watch."""
    return f"{stem(unit)}{OF_WATCH[0]}.timer"


def watcher(unit: str) -> str:
    """Return the name of the unit of a look of its watch."""
    return f"{stem(unit)}{OF_WATCH[0]}.service"


def watches(unit: str) -> tuple[str, ...]:
    """Return the names of the watch's units beside its timer, and of its script."""
    own = stem(unit)
    return (*(f"{own}{of}.service" for of in OF_WATCH), f"{own}{OF_WATCH[0]}.sh")


def twice(hosts: Iterable[tuple[str, Mapping[str, Any]]]) -> str | None:
    """Return what is wrong where two names of an inventory are the same Ollama of the same machine, on one line.

    + hosts: each host's name and data as pyinfra merged them
    """
    seen: dict[tuple[str, ...], str] = {}
    for name, data in hosts:
        machine = str(data.get("ssh_hostname") or name.removeprefix("@ssh/"))
        try:
            unit = whole(str(data.get("ollama_unit", DEFAULT)))
        except ValueError:  # of which that host tells
            continue
        # One file may say of an address, such as 10.0.0.5, that it is of another site than the other says.
        by = str(data.get("ssh_config_file") or SSH_CONFIG)
        key = machine.lower().rstrip("."), str(data.get("ssh_port") or 22), by, unit
        other = seen.setdefault(key, name)
        if other != name:
            return (
                f"{name}: expected an Ollama of its own, found {unit} on {machine}, which is {other}'s already: "
                "give one of them the ollama_unit of another Ollama there, or take it out of the inventory"
            )
    return None

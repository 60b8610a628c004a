"""Read what host/probe.sh prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from ollama_slots.core import address, names, needs, units
from ollama_slots.core.details import Details
from ollama_slots.core.names import VARIANT
from ollama_slots.core.observed import Line, Listed, Models, Observed, Runner, SlotState
from ollama_slots.host import details, gpus, scripts, stored
from ollama_slots.host.output import sections

MODELFILE = ".Modelfile"


def parse_probe(output: list[str], unit: str = units.DEFAULT, models: Sequence[str] = ()) -> Observed:
    """Parse the output of host/probe.sh, asked about the Ollama of this unit.

    + models: that it was asked about, where it shows what they are made of

    Raises ValueError where it is not the output of a whole probe; pydantic's ValidationError is one.
    """
    parts = sections(output)
    if "end" not in parts:
        raise ValueError("the probe did not finish")
    if lacks := needs.lacking(parts["lacks"]):
        return Observed(unit=unit, lacks=lacks)
    if parts["lacks"]:
        raise ValueError("the probe's output has something else in it")
    if "busy" in parts:
        return Observed(unit=unit, busy=" ".join(parts["busy"]) or "another run")
    answers: dict[str, Any] = {}
    for endpoint, line in zip(("version", "tags", "ps"), parts["api"], strict=False):
        answers[endpoint] = json.loads(line) if line.startswith("{") else None
    # What has no models is an error, such as of a store that is gone: no answer.
    tags, ps = ((answers.get(it) or {}).get("models", ...) for it in ("tags", "ps"))
    listed = [Listed(**model) for model in tags or []] if tags is not ... else None
    running = [Runner(**model) for model in ps or []] if ps is not ... else None
    url, listens, answered = (*(it or None for it in parts["asked"]), None)[:3]
    environ = dict(line.split("=", 1) for line in parts["environ"])
    shown = _units(parts["units"], unit)
    files = {path: digest for digest, _, path in (line.partition("  ") for line in parts["files"])}
    by_key = _listed(listed) if listed is not None else None
    kept: dict[str, list[str]] = {}
    for path, _, line in (it.partition(":") for it in parts["states"]):
        kept.setdefault(path, []).append(line)
    bases = kept.pop(scripts.path("bases", unit=unit), [])
    states, previous = (_states(kept, scripts.path(it, unit=unit)) for it in ("state_dir", "previous_states"))
    installed = dict(it.split("=", 1) for it in reversed(parts["installed"]))
    return Observed(
        unit=unit,
        units=shown,
        environ=environ if shown.get(unit, {}).get("MainPID", "0") != "0" else None,
        gpus=gpus.found(parts["gpus"]),
        cards=len(parts["cards"]) if parts["cards"] else None,
        looked=gpus.LOOKED in parts["gpus"],
        expects_gpu=installed.get("gpu") == "yes",
        files={path: digest for path, digest in files.items() if not path.endswith(MODELFILE)},
        modelfiles={
            path.rpartition("/")[2].removesuffix(MODELFILE): digest
            for path, digest in files.items()
            if path.endswith(MODELFILE)
        },
        states=states,
        previous=previous,
        bases=_brought([*states.values(), *previous.values()], by_key or {}) | _bases(bases),
        url=url and (address.numeric(url) or url),
        at=url and address.numeric(url, answered),
        warms=installed.get("url"),
        listens=listens and address.numeric(listens),
        settings=tuple(_lines(parts["settings"])),
        **_times(parts["changed"], scripts.path("started", unit=unit), scripts.path("own_process")),
        live=frozenset(line.rpartition("-")[2] for line in parts["live"]),
        version=answers["version"]["version"] if answers.get("version") else None,
        listed=by_key,
        runners=tuple(running) if running is not None else None,
        container=_pairs(parts["store"]).get("container"),
        store=_store(parts["store"]),
        scraps=tuple(parts["scraps"]),
        since=" ".join(parts["since"]),
        details=_details(models, parts) if "show" in parts else None,
    )


def _details(models: Sequence[str], parts: dict[str, list[str]]) -> Details | None:
    with suppress(ValueError):  # they are asked again by themselves, and the reason is told, where they are needed
        return details.of_sections(models, parts)
    return None


def _listed(rows: list[Listed]) -> dict[str, Listed]:
    by_key: dict[str, Listed] = {}
    for row in rows:
        if _ours(row.name):
            first = by_key.setdefault(names.parse(row.name).key, row)
            by_key[names.parse(row.name).key] = first.model_copy(update={"digests": first.digests | {row.digest}})
    return by_key


def _ours(name: str) -> bool:
    try:
        names.parse(name)
    except ValueError:
        return False
    return True


def _pairs(lines: list[str]) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in lines if " " in line)


def _store(lines: list[str]) -> Models | None:
    said, keys = _pairs(lines), set()
    if "models" not in said:
        return None
    for key, _, path in (line.partition(" ") for line in lines):
        if key == "name":
            with suppress(TypeError):  # too few parts
                keys.add(stored.named(path).key)
    where = {"models": said["models"], "path": said["path"], "may": said["may"]}
    return Models(**where, names=frozenset(keys), whole="whole" in said)


def _bases(lines: list[str]) -> dict[str, datetime]:
    bases: dict[str, datetime] = {}
    for line in lines:
        model, _, listed = line.partition(" ")
        with suppress(ValueError):  # a damaged line is no record: what nobody knows to be ours is not
            bases[names.parse(model).key] = datetime.fromisoformat(listed)
    return bases


def _brought(states: list[SlotState], listed: dict[str, Listed]) -> dict[str, datetime]:
    """Return the bases that, by the slots' own states, a deploy pulled, and nobody has pulled since."""
    bases: dict[str, datetime] = {}
    for state in states:
        key = names.parse(state.model).key
        with suppress(ValueError):  # it did not
            when = datetime.fromisoformat(state.brought)
            if key in listed and listed[key].modified_at == when:
                bases[key] = when
    return bases


def _units(lines: list[str], asked: str) -> dict[str, dict[str, str]]:
    """Return what systemctl shows of units, by name; of one that is asked by an alias, no more than that."""
    shown: dict[str, dict[str, str]] = {}
    unit: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        if not key:
            unit = {}
        unit[key] = value
        if key == "Id":
            shown[value] = unit
    if shown and asked not in shown:
        shown[asked] = {"LoadState": f"an alias of {next(iter(shown))}"}
    return shown


def _lines(lines: list[str]) -> Iterator[Line]:
    for line in lines:
        if match := re.fullmatch(r"(/.*?):(\d+):(.*)", line):
            yield Line(match[1], int(match[2]), match[3])


def _times(lines: list[str], start: str, own: str) -> dict[str, Any]:
    """Return when files were changed and Ollama's process started; a time in the future says nothing.

    + start: the path of what systemd makes at each start
    + own: that of the process that looked, which is as old as the look
    """
    times = {path: float(seconds) for seconds, _, path in (line.partition(" ") for line in lines)}
    now, started = times.pop(own, 0), times.pop(start, None)
    return {"now": now, "started": started, "changed": {path: at for path, at in times.items() if at <= now}}


def _states(kept: dict[str, list[str]], directory: str) -> dict[str, SlotState]:
    """Return the states in a directory, by slot.

    + kept: the lines of each file
    """
    states = {}
    for path, lines in kept.items():
        at, _, file = path.rpartition("/")
        name = file.removesuffix(".slot")
        fields = {key: value for key, _, value in (line.partition("=") for line in lines)}
        try:
            state = SlotState.model_validate(fields)
        except ValueError:
            continue  # a damaged state is no state: the next rotation writes it anew
        if at == directory and re.fullmatch(VARIANT, name) and state.variant:
            states[name] = state
    return states

"""What host/probe.sh and host/details.sh print, read. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from ollama_slots import names
from ollama_slots.found import Details, Found, Listed, Runner, Shown, SlotState
from ollama_slots.names import VARIANT


def sections(output: list[str]) -> dict[str, list[str]]:
    """Lines after a ``== NAME`` line, by NAME."""
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output:
        if line.startswith("== "):
            lines = parts.setdefault(line.removeprefix("== "), [])
        else:
            lines.append(line)
    return parts


def parse_probe(output: list[str]) -> Found:
    """The output of host/probe.sh as a Found.

    Raises ValueError where it is not the output of a whole probe; pydantic's ValidationError is one.
    """
    parts = sections(output)
    if "busy" in parts:
        raise ValueError("another deploy holds this host's lock")
    if "api" not in parts:
        raise ValueError("the probe did not run to its end")
    answers: dict[str, Any] = {}
    for endpoint, line in zip(("version", "tags", "ps"), parts["api"], strict=False):
        answers[endpoint] = json.loads(line) if line.startswith("{") else None
    listed = [Listed(**model) for model in answers["tags"]["models"] or []] if answers.get("tags") else None
    running = [Runner(**model) for model in answers["ps"]["models"] or []] if answers.get("ps") else None
    environ = dict(line.split("=", 1) for line in parts["environ"])
    units = _units(parts["units"])
    return Found(
        units=units,
        environ=environ if units.get("ollama.service", {}).get("MainPID", "0") != "0" else None,
        has_gpu=parts["gpu"] == ["yes"],
        files={path: digest for digest, _, path in (line.partition("  ") for line in parts["files"])},
        states=_states(parts["states"]),
        live=frozenset(line.removeprefix("sha256-") for line in parts["live"]),
        version=answers["version"]["version"] if answers.get("version") else None,
        listed={names.parse(model.name).key: model for model in listed if _ours(model.name)}
        if listed is not None
        else None,
        runners=tuple(running) if running is not None else None,
    )


def parse_details(models: list[str], output: list[str]) -> Details:
    """The output of host/details.sh, asked about these models, as Details.

    Raises ValueError where an answer is missing.
    """
    parts = sections(output)
    lines = parts["show"]
    if len(lines) < 2 * len(models):
        raise ValueError("an answer of /api/show is missing")
    shown: dict[str, Shown] = {}
    for model, body, status in zip(models, lines[0::2], lines[1::2], strict=False):
        if status == "000":
            raise ValueError("Ollama stopped answering")
        answer = Shown.of(json.loads(body)) if status == "200" else None
        if answer and answer.weights not in parts["missing"]:
            shown[names.parse(model).key] = answer
    memory = [
        [int(figure) for figure in line.split(",")] for line in parts["gpu"] if re.fullmatch(r"[\d, ]+", line)
    ]
    return Details(
        shown=shown,
        gpu_total=sum(total for total, _ in memory) << 20 if memory else None,
        gpu_free=sum(free for _, free in memory) << 20 if memory else None,
    )


def _ours(name: str) -> bool:
    try:
        names.parse(name)
    except ValueError:
        return False
    return True


def _units(lines: list[str]) -> dict[str, dict[str, str]]:
    units: dict[str, dict[str, str]] = {}
    unit: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        if not key:
            unit = {}
        unit[key] = value
        if key == "Id":
            units[value] = unit
    return units


def _states(lines: list[str]) -> dict[str, SlotState]:
    values: dict[str, dict[str, str]] = {}
    for line in lines:
        path, _, entry = line.partition(":")
        key, _, value = entry.partition("=")
        values.setdefault(path.rpartition("/")[2].removesuffix(".slot"), {})[key] = value
    states = {}
    for name, fields in values.items():
        try:
            state = SlotState.model_validate(fields)
        except ValueError:
            continue  # a damaged state is no state: the next rotation writes it anew
        if re.fullmatch(VARIANT, name) and state.variant:
            states[name] = state
    return states

"""Test that Ollama and its warm-up run as the slots need them."""

from __future__ import annotations

import math
import re

import pytest

from ollama_slots.verify.look import Look

UNITS = ["unit", "warm_up"]  # of a Look


@pytest.mark.parametrize("unit", UNITS)
def test_unit_starts_at_boot(look: Look, unit: str) -> None:
    unit = getattr(look, unit)
    found = look.run("systemctl is-enabled %s", unit)
    assert found == "enabled", f"{look.name}: {unit}: expected enabled, found {found}"


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_active(look: Look, unit: str) -> None:
    unit = getattr(look, unit)
    found = look.run("systemctl is-active %s", unit)
    assert found == "active", f"{look.name}: {unit}: expected active, found {found}: see journalctl -u {unit}"


def test_warm_up_unit_is_valid(look: Look) -> None:
    said = look.run("systemd-analyze verify %s; systemd-analyze --version && echo verified", look.warm_up)
    assert said.endswith("verified"), f"{look.name}: expected systemd-analyze to verify the unit, found {said!r}"
    # It also reads the units that this one needs, and what it says of those is not ours to judge.
    found = [line for line in said.splitlines() if look.warm_up.removesuffix(".service") in line]
    assert not found, f"{look.name}: {look.warm_up}: expected no complaint, found {found}"


@pytest.mark.parametrize("asked", ["is-enabled", "is-active"])
def test_watch_is_there_as_declared(look: Look, asked: str) -> None:
    found = look.run(f"systemctl {asked} %s", look.watch)
    if look.settings.watch == "off":
        assert found not in {"enabled", "active"}, (
            f"{look.name}: {look.watch}: expected no watch, found it {found}"
        )
    else:
        wanted = asked.removeprefix("is-")
        assert found == wanted, f"{look.name}: {look.watch}: expected {wanted}, found {found}"


def seconds(value: str) -> float:
    """Return a number, or the seconds of a duration; less than zero is for ever."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|[hms])", value)
    length = sum(float(amount) * units[unit] for amount, unit in parts) if parts else float(value.lstrip("-"))
    return math.inf if value.startswith("-") and length else length


@pytest.mark.parametrize("key", ["OLLAMA_KEEP_ALIVE", "OLLAMA_MAX_LOADED_MODELS"])
def test_running_ollama_has_the_environment(look: Look, key: str) -> None:
    # The process counts: a file that came after its start is not in force. And what it means: 24h is 1440m.
    settings = look.settings
    wanted = {"OLLAMA_KEEP_ALIVE": settings.keep_alive, "OLLAMA_MAX_LOADED_MODELS": settings.loaded_models}[key]
    told = f"{look.name}: Ollama's process: expected {key}={wanted}, found {look.environ.get(key)!r}"
    assert key in look.environ, told
    assert seconds(look.environ[key]) == seconds(str(wanted)), told

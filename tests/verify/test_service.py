"""Ollama and its warm-up run as the slots need them."""

from __future__ import annotations

import pytest

from tests.verify.look import Look

UNITS = ["ollama.service", "ollama-warmup.service"]


@pytest.mark.parametrize("unit", UNITS)
def test_unit_starts_at_boot(look: Look, unit: str) -> None:
    found = look.run("systemctl is-enabled %s", unit)
    assert found == "enabled", f"{look.name}: {unit}: wanted enabled, found {found}"


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_active(look: Look, unit: str) -> None:
    found = look.run("systemctl is-active %s", unit)
    assert found == "active", f"{look.name}: {unit}: wanted active, found {found}: see journalctl -u {unit}"


def test_warm_up_unit_is_valid(look: Look) -> None:
    said = look.run("systemd-analyze verify ollama-warmup.service; systemd-analyze --version && echo verified")
    assert said.endswith("verified"), f"{look.name}: wanted systemd-analyze to verify the unit, found {said!r}"
    # It also reads the units that this one needs, and what it says of those is not ours to judge.
    found = [line for line in said.splitlines() if "ollama-warmup" in line]
    assert not found, f"{look.name}: ollama-warmup.service: wanted no complaint, found {found}"


@pytest.mark.parametrize("key", ["OLLAMA_KEEP_ALIVE", "OLLAMA_MAX_LOADED_MODELS"])
def test_running_ollama_has_the_environment(look: Look, key: str) -> None:
    # The process counts: a drop-in that came after its start is not in force.
    settings = look.settings
    wanted = {"OLLAMA_KEEP_ALIVE": settings.keep_alive, "OLLAMA_MAX_LOADED_MODELS": settings.loaded_models}[key]
    found = look.environ.get(key)
    assert found == f"{wanted}", f"{look.name}: Ollama's process: wanted {key}={wanted}, found {found!r}"

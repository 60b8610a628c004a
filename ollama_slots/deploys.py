"""Deploy from a pyinfra project: ``from ollama_slots.deploys import slots``, and ``slots()`` in its deploy.py.

Each takes what it needs from the data of the host at hand (``group_data/all.py`` of the checkout is the manual),
and what they do not say from the defaults. Wrong data end the run with one line before any host is changed.
"""

from __future__ import annotations

from pyinfra import host
from pyinfra.api.deploy import deploy

from ollama_slots import operations
from ollama_slots.core.settings import DEFAULTS, Settings
from ollama_slots.run import data, table

NAME = "Ollama slots"
DATA = dict(DEFAULTS)


@deploy(NAME, data_defaults=DATA)
def slots() -> None:
    """Deploy every slot, hot in GPU memory: canaries first, other hosts only if no canary failed."""
    settings = data.settings()
    _preflight(settings)
    # Two calls, for pyinfra orders what it does on different hosts by the lines that it comes from.
    if operations.canary.GROUP in host.groups:
        _slots(settings)
    _canary(settings)
    if operations.canary.GROUP not in host.groups:
        _slots(settings)


@deploy(NAME, data_defaults=DATA)
def preflight() -> None:
    """Check, before anything is changed, whether a deploy can succeed."""
    _preflight(data.settings())


@deploy(NAME, data_defaults=DATA)
def service() -> None:
    """Configure Ollama with the environment that the slots need."""
    _service(data.settings())


@deploy(NAME, data_defaults=DATA)
def models() -> None:
    """Pull bases, make variants, and rotate slots."""
    _models(data.settings())


@deploy(NAME, data_defaults=DATA)
def warm_up() -> None:
    """Install and run the warm-up unit, and prove every slot resident."""
    _warm_up(data.settings())


@deploy(NAME, data_defaults=DATA)
def canary() -> None:
    """Prove the canaries, and stop every other host if one has failed."""
    _canary(data.settings())


@deploy(NAME, data_defaults=DATA)
def status() -> None:
    """Report the slots and all drift; a host that differs fails. Changes nothing."""
    settings = data.settings()
    table.follow(host, settings)
    operations.status.status(name="Report drift", settings=settings)


@deploy(NAME, data_defaults=DATA)
def rollback() -> None:
    """Roll back every slot, or the one that ``rollback`` names, to its previous variant."""
    operations.rollback.rollback(name="Roll back slots", settings=data.settings())


@deploy(NAME, data_defaults=DATA)
def prune() -> None:
    """List undeclared models and slots of ours; with ``prune`` remove them."""
    operations.prune.prune(name="Prune undeclared models", settings=data.settings())


def _preflight(settings: Settings) -> None:
    operations.preflight.preflight(name="Preflight checks", settings=settings)


def _slots(settings: Settings) -> None:
    _service(settings)
    _models(settings)
    _warm_up(settings)


def _service(settings: Settings) -> None:
    operations.service.service(name="Configure Ollama's environment", settings=settings)


def _models(settings: Settings) -> None:
    operations.models.models(name="Pull models and rotate slots", settings=settings)


def _warm_up(settings: Settings) -> None:
    table.follow(host, settings)
    operations.warm_up.warm_up(name=f"Install and run {settings.warm_up_unit}", settings=settings)
    operations.warm_up.proof(name="Prove every slot resident", settings=settings)


def _canary(settings: Settings) -> None:
    canaries = operations.canary.canaries(host)
    if host in canaries:
        operations.canary.speed(name="Prove the canary: every slot answers, fast enough", settings=settings)
    if canaries:
        operations.canary.gate(name="Wait for the canaries")

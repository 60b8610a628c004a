"""The benchmark as a deploy of pyinfra's: ``from ollama_slots.benchmark.run.task import benchmark``.

Nothing that needs its extra is imported before it runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.deploy import deploy
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.benchmark.asking.timing import Procedure
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.benchmark.run.hosts import HostBench
from ollama_slots.benchmark.run.measure import measure
from ollama_slots.benchmark.run.session import session
from ollama_slots.core.settings import DEFAULTS, Settings
from ollama_slots.run import data
from ollama_slots.run.session import Commands, complain


@deploy("Ollama benchmark", data_defaults=dict(DEFAULTS))
def benchmark(sizes: Mapping[str, int] | None = None, procedure: Procedure | None = None) -> None:
    """Measure the models of slots 1 to 3 and their challengers, choose, and write model_selection.json.

    + sizes: how many items of each family are asked; None: those of benchmark_profile
    + procedure: by which speed is measured

    Of an inventory with a group ``benchmark``, its hosts alone are asked.
    """
    settings = data.settings()
    try:
        this = session(host.state, sizes, procedure)
        if not this.takes_part(host):
            asked = [it for it in host.state.inventory if host.state.is_host_in_limit(it) and this.takes_part(it)]
            if not asked:
                raise ValueError("expected a host of the group benchmark, found none in --limit: name one of it")
            logger.info(f"[{host.name}] is not asked: it is not of the group benchmark")
            return
        this.declare(host.name, settings)
    except (BenchmarkError, ValueError) as error:
        raise PyinfraError(f"{error}") from None
    look(name="Look at what slots hold", settings=settings)
    ask(name="Ask models, and measure them", settings=settings, _serial=True)
    choose(name="Choose the models of slots 1 to 3", settings=settings, _serial=True)


@operation()
def look(settings: Settings) -> Commands:
    """Look at what the slots of a host hold, and at its GPU memory.

    + settings: of this host

    Idempotency: it changes nothing.
    """
    if host.state.is_executing:
        yield FunctionCommand(_look, (settings,), {})


@operation()
def ask(settings: Settings) -> Commands:
    """Ask the models of a host what was not asked yet, one host after the other; grade what they answer.

    + settings: of this host

    Idempotency: what is kept in benchmarks/ is not measured again in the same week.
    """
    if host.state.is_executing:
        yield FunctionCommand(_ask, (settings,), {})


@operation()
def choose(settings: Settings) -> Commands:  # noqa: ARG001 (as the others)
    """Choose, once for all hosts, and write the file.

    Idempotency: of what was measured the same, the file is the same.
    """
    if host.state.is_executing:
        yield FunctionCommand(_choose, (), {})


def _look(state: State, host: Host, settings: Settings) -> bool:
    this = session(state)
    try:
        this.benches[host.name] = HostBench(
            host, settings, this.seed, this.models(settings), this.windows, this.procedure
        )
    except BenchmarkError as error:
        return _failed(error)
    return True


def _ask(state: State, host: Host, settings: Settings) -> bool:
    this = session(state)
    try:
        of, kit = this.begun()
        measure(this.benches[host.name], of, settings.benchmark_models, kit)
    except BenchmarkError as error:
        return _failed(error)
    return True


def _choose(state: State, host: Host) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    this = session(state)
    if this.chosen:
        return True
    this.chosen = True
    try:
        lines = this.choose()
    except BenchmarkError as error:
        return _failed(error)
    for line in lines:
        logger.info(f"    {line}")
    return True


def _failed(error: BenchmarkError) -> bool:
    complain(f"{error}")
    return False

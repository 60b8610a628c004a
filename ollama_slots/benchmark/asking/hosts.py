"""Send requests to a slot of a host, by one command a block."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api import Host

from ollama_slots.benchmark.asking.ask import Send, Slot
from ollama_slots.benchmark.asking.request import Request
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.host import parse, questions, scripts
from ollama_slots.run.executor import connector_arguments

SECONDS = 300  # the bound of one answer


def slot(observed: Observed, name: str) -> Slot:
    """Return a slot as a host has it. Raises BenchmarkError where it holds nothing that could be asked.

    Whether it is resident is seen when it is asked.
    """
    state = observed.states.get(name)
    if state is None or not state.variant:
        raise BenchmarkError(f"slot {name}: expected one that holds a model, found none: deploy it first")
    if state.asks == "embed":
        raise BenchmarkError(
            f"slot {name}: expected a model that makes text, found an embedding model: leave it out"
        )
    return Slot(name, state.variant, state.weights)


def script(
    settings: Settings, observed: Observed, slot: Slot, requests: Sequence[Request], seconds: int = SECONDS
) -> scripts.Script:
    """Return the script that sends requests to a slot."""
    lines = "".join(it.line for it in requests)
    gpu = needs_gpu(settings, observed)
    return scripts.questions(settings, observed.url or "", slot.name, slot.variant, gpu, seconds, lines)


def sender(host: Host, settings: Settings, observed: Observed, slot: Slot) -> Send:
    """Return what sends requests to a slot of a host.

    The questions go past a terminal, which would change them, and nothing that comes back is shown.
    """

    def send(requests: Sequence[Request]) -> tuple[list[questions.Reply], str]:
        wanted = script(settings, observed, slot, requests)
        arguments = connector_arguments(host) | {"_stdin": wanted.stdin, "_get_pty": False}
        try:
            _, said = host.run_shell_command(scripts.command(wanted, unit=settings.ollama_unit), **arguments)
        except EOFError:  # see session.fact
            return [], questions.BROKE
        return read(said.stdout_lines, said.stderr_lines)

    return send


def read(out: list[str], err: list[str]) -> tuple[list[questions.Reply], str]:
    """Return the replies that a command printed, and why there are not more."""
    try:
        return questions.parse_questions(parse.own(out))
    except ValueError:  # not a line of the script's
        said = [it.strip() for it in err if it.strip()]
        return [], said[-1] if said else questions.BROKE

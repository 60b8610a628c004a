"""Send requests to a slot of a host, by one command a block."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pyinfra.api import Host

from ollama_slots.benchmark.asking.ask import Send, Slot
from ollama_slots.benchmark.asking.request import Request
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import needs_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.host import calls, output, questions, scripts
from ollama_slots.run.executor import connector_arguments
from ollama_slots.run.session import BREAKS

GROUP = "benchmark"  # of hosts on which nobody is waited for
SECONDS = 300  # the bound of one answer
TURN = 120  # seconds after which a command begins no other question: a deploy may wait for a candidate's
PATIENCE = 900  # seconds that a run waits for users, without one answer


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


def sender(host: Host, settings: Settings, observed: Observed, slot: Slot) -> Send:
    """Return what sends requests to a slot of a host."""
    gpu = needs_gpu(settings, observed)

    def script(requests: Sequence[Request]) -> scripts.Script:
        how = asking(host, requests)
        return calls.questions(settings, observed.url or "", slot.name, slot.variant, gpu, how)

    return sending(host, settings, script)


def asking(host: Host, requests: Sequence[Request]) -> calls.Asking:
    """Return how requests are sent to a host."""
    lines = "".join(it.line for it in requests)
    return calls.Asking(lines, SECONDS, polite=GROUP not in host.groups, turn=TURN)


def sending(host: Host, settings: Settings, script: Callable[[Sequence[Request]], scripts.Script]) -> Send:
    """Return what sends requests to a host by a script, turn after turn until all are answered.

    The questions go past a terminal, which would change them, and nothing that comes back is shown.
    """

    def send(requests: Sequence[Request]) -> tuple[list[questions.Reply], str]:
        found: list[questions.Reply] = []
        heard = time.monotonic()
        while True:
            more, why = read(*run(host, settings, script(requests[len(found) :])))
            found += more
            if more:
                heard = time.monotonic()
            if why not in {questions.LATER, questions.USERS}:
                return found, _told(why, settings)
            if time.monotonic() - heard > PATIENCE:
                return found, f"its users kept it busy for {PATIENCE // 60} min: try again when they do not"

    return send


def run(host: Host, settings: Settings, script: scripts.Script) -> tuple[list[str], list[str]]:
    """Run a script on a host; return what it printed, and what went wrong, line by line."""
    arguments = connector_arguments(host) | {"_stdin": script.stdin, "_get_pty": False}
    try:
        _, said = host.run_shell_command(scripts.command(script, unit=settings.ollama_unit), **arguments)
    except BREAKS:
        return [], []
    return said.stdout_lines, said.stderr_lines


def read(out: list[str], err: list[str]) -> tuple[list[questions.Reply], str]:
    """Return the replies that a command printed, and why there are not more."""
    try:
        return questions.parse_questions(output.own(out))
    except ValueError:  # not a line of the script's
        return [], reason(err)


def reason(err: list[str]) -> str:
    """Return why a command printed nothing of its own."""
    said = [it.strip() for it in err if it.strip()]
    return said[-1] if said else questions.BROKE


def _told(why: str, settings: Settings) -> str:
    if why != questions.CLOSED:
        return why
    hours = settings.benchmark_window
    return f"it is outside of its benchmark_window, {hours}, by the host's clock: run it again then, to go on"

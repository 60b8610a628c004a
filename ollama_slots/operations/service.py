"""Configure Ollama with the environment that the slots need."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api import FunctionCommand, operation
from pyinfra.api.command import PyinfraCommand

from ollama_slots.core import environment, places, plan
from ollama_slots.core.settings import Settings
from ollama_slots.host import calls, render, scripts
from ollama_slots.run.executor import perform
from ollama_slots.run.session import Commands, hand_on, looks, nothing, overtaken, read, refuse, say_once, unread


@operation()
def service(settings: Settings) -> Commands:
    """Configure Ollama with the environment that the slots need: keep-alive, and room for every slot.

    + settings: of this host

    What the owner has set is overruled by an environment file of ours; where it would overrule that, the host is
    refused before anything is done (owner.py).

    Idempotency:

    + a file is written when its content differs; the unit is enabled when it is disabled
    + Ollama is restarted when the environment of the *running* process means something else than what is declared,
      so that a run which was interrupted between the two is made good by the next; but not where the process was
      started with everything in place, for another start would come to the same
    + and where it found no GPU, though the driver shows one now: once, for it has looked then
    """
    ours = render.service(settings)
    for observed, since in looks(settings):
        if observed is None or observed.lacks:
            yield unread(observed)
            return
        unit, changed = observed.service, environment.outdated(ours, observed)
        stale, disabled = environment.stale(observed), unit.get("UnitFileState") == "disabled"
        wrong, reasons = environment.lacking(settings, observed), [str(it) for it in places.contained(observed)]
        reasons = reasons or environment.refusals(settings, observed, ours)
        if unit.get("LoadState") != "loaded":
            reasons = [
                f"expected Ollama's {settings.ollama_unit}, found it {unit.get('LoadState', 'unknown')}: "
                "install Ollama (or unmask its unit), then deploy again"
            ]
        runs, at_stake = observed.environ is not None, environment.at_stake(observed)
        blind = observed.blind and settings.require_gpu is not False
        as_declared = not wrong and observed.version is not None and not blind
        if reasons:
            yield refuse("; ".join(reasons))
            return
        if as_declared and not (changed or stale or disabled):
            nothing(observed, "Ollama runs with the declared environment")
            return
        wanted = []
        if changed or stale or disabled:
            written = [path for path in changed if path in ours.files]
            gone = ours.outdated if ours.outdated in changed else ""
            # That it is enabled brings the warm-up with it at boot.
            enable = [settings.ollama_unit] if disabled else []
            wanted = [calls.install(ours.files, written, gone, bool(changed or stale), enable)]
        if as_declared:
            yield FunctionCommand(perform, (settings, wanted, since, plan.beforehand(settings)), {})
            leave_off = not overtaken()
        else:
            announce(runs, wrong, blind)
            again = runs and (bool(wrong) or blind)
            leave_off = not (yield from start(settings, again, wanted, since, at_stake))
        if leave_off:
            return


def announce(runs: bool, wrong: dict[str, str], blind: bool = False) -> None:
    """Report why Ollama is to be started, or restarted: what is in its memory goes with its process."""
    if not runs:
        say_once("start Ollama: it is not running")
    elif wrong:
        say_once(f"restart Ollama: its process lacks {environment.words(wrong)}")
    elif blind:
        say_once("restart Ollama: it found no GPU when it was started, and nvidia-smi shows one")


def start(
    settings: Settings, again: bool, first: Sequence[scripts.Script], since: str, at_stake: bool = False
) -> Generator[PyinfraCommand, None, bool]:
    """Start Ollama, or restart it, and check that it has what it lacked. Returns whether it was overtaken.

    + again: it runs, and is restarted
    + first: what is to be done before
    + since: as for ``perform``
    + at_stake: what it has in GPU memory would be lost if the GPU's driver did not answer
    """
    wanted = [*first, calls.await_("restart" if again else "start", settings, at_stake)]
    yield FunctionCommand(perform, (settings, wanted, since, plan.beforehand(settings)), {})
    if overtaken():
        return True
    observed = read(settings)
    if observed is None or observed.lacks:
        yield unread(observed)
    elif observed.environ is None:
        yield refuse(f"Ollama's process has ended, though something answers{observed.where}")
    elif wrong := environment.lacking(settings, observed):
        yield refuse(environment.in_vain(wrong, observed))
    else:
        hand_on(observed)
    return False

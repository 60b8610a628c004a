"""Configure Ollama with the environment that the slots need."""

from __future__ import annotations

from pyinfra.api import StringCommand, operation

from ollama_slots.core import environment, places
from ollama_slots.core.settings import Settings
from ollama_slots.host import render, scripts
from ollama_slots.run.session import Commands, looks, nothing, read, refuse, say_once, unread


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
    for observed, _ in looks(settings):
        if observed is None or observed.lacks:
            yield unread(observed)
            return
        unit, changed = observed.service, environment.outdated(ours, observed)
        stale, disabled = environment.stale(observed), unit.get("UnitFileState") == "disabled"
        wrong, reasons = environment.lacking(settings, observed), [str(it) for it in places.contained(observed)]
        reasons = reasons or environment.refusals(settings, observed, ours)
        runs, at_stake = observed.environ is not None, environment.at_stake(observed)
        blind = observed.blind and settings.require_gpu is not False
        as_declared = (
            unit.get("LoadState") == "loaded" and not wrong and observed.version is not None and not blind
        )
        if as_declared and not (changed or stale or disabled or reasons):
            nothing(observed, "Ollama runs with the declared environment")
            return
    if unit.get("LoadState") != "loaded":
        yield refuse(
            f"expected Ollama's {settings.ollama_unit}, found it {unit.get('LoadState', 'unknown')}: "
            "install Ollama (or unmask its unit), then deploy again"
        )
        return
    if reasons:
        yield refuse("; ".join(reasons))
        return
    if not as_declared:
        announce(runs, wrong, blind)  # before the first command, for a plan that is shown goes no further
    if written := [path for path in changed if path in ours.files]:
        yield scripts.install(ours.files, written)
    if ours.outdated in changed:
        yield StringCommand("rm", "-f", ours.outdated)
    if changed or stale:
        yield StringCommand("systemctl", "daemon-reload")
    if disabled:
        yield StringCommand("systemctl", "enable", settings.ollama_unit)  # it brings the warm-up with it at boot
    if not as_declared:
        yield from start(settings, runs, wrong, at_stake, blind)


def announce(runs: bool, wrong: dict[str, str], blind: bool = False) -> None:
    """Report why Ollama is to be started, or restarted: what is in its memory goes with its process."""
    if not runs:
        say_once("start Ollama: it is not running")
    elif wrong:
        say_once(f"restart Ollama: its process lacks {environment.words(wrong)}")
    elif blind:
        say_once("restart Ollama: it found no GPU when it was started, and nvidia-smi shows one")


def start(
    settings: Settings, runs: bool, wrong: dict[str, str], at_stake: bool = False, blind: bool = False
) -> Commands:
    """Start Ollama, or restart it if its process lacks variables, and check that it has them.

    + at_stake: what it has in GPU memory would be lost if the GPU's driver did not answer
    + blind: it is to look for GPUs again
    """
    announce(runs, wrong, blind)
    again = runs and (bool(wrong) or blind)
    yield scripts.await_("restart" if again else "start", settings, at_stake)
    observed = read(settings)
    if observed is None or observed.lacks:
        yield unread(observed)
    elif observed.environ is None:
        yield refuse(f"Ollama's process has ended, though something answers{observed.where}")
    elif wrong := environment.lacking(settings, observed):
        yield refuse(environment.in_vain(wrong, observed))

"""The operations: read a host, plan, and yield what is missing. The thinking is in plan.py."""

from __future__ import annotations

import time
from itertools import chain

from pyinfra import host
from pyinfra.api import FunctionCommand, Host, State, StringCommand, operation

from ollama_slots import environment, plan, render, table
from ollama_slots.commands import (
    Commands,
    again,
    fact,
    looks,
    nothing,
    perform,
    read,
    refuse,
    say_once,
    take,
    unread,
)
from ollama_slots.difference import differing
from ollama_slots.facts import ModelDetails
from ollama_slots.found import Details, Found
from ollama_slots.host import scripts
from ollama_slots.look import check, look, planned
from ollama_slots.residency import EXPIRES, doubtful, faults, needs_gpu
from ollama_slots.settings import Settings
from ollama_slots.step import Step
from ollama_slots.targets import Target

# The engine shows how long it keeps a model when it has seen a request to its end: up to 5 s after the answer,
# where it waits for the memory of what it unloaded (server/sched.go, v0.32.15).
SHOWN_SECONDS = 15


@operation()
def preflight(settings: Settings) -> Commands:
    """What would keep the deploy from ending well is found before anything is changed on any host.

    + settings: of this host

    Models that are to be pulled are looked up in their registry, from the control machine. A registry that cannot
    be asked from there is a notice. With ``--dry`` it tells what each slot will need.

    Idempotency: it changes nothing.
    """
    found, _ = next(looks(settings))
    if found is None or found.lacks:
        yield unread(found)
        return
    if reasons := environment.refusals(settings, found):
        yield refuse("; ".join(reasons))
        return
    if found.listed is None or found.runners is None:
        host.noop("Ollama does not answer: what it has is looked at when it was started")
        return
    try:
        sight = look(settings, found)
        check(settings, sight)
    except ValueError as error:
        yield refuse(str(error))
        return
    nothing(found, "nothing stands in the way")


@operation()
def service(settings: Settings) -> Commands:
    """Ollama runs with the environment that the slots need: keep-alive, and room for every slot.

    + settings: of this host

    What the owner has set is overruled by an environment file of ours; where it would overrule that, the host is
    refused before anything is done (owner.py).

    Idempotency:

    + a file is written when its content differs; the unit is enabled when it is disabled
    + Ollama is restarted when the environment of the *running* process means something else than what is declared,
      so that a run which was interrupted between the two is made good by the next; but not where the process was
      started with everything in place, for another start would come to the same
    """
    files = render.service(settings)
    for found, _ in looks(settings):
        if found is None or found.lacks:
            yield unread(found)
            return
        unit, changed = found.units.get(environment.UNIT, {}), environment.outdated(settings, found)
        stale, disabled = environment.stale(found), unit.get("UnitFileState") == "disabled"
        wrong, reasons = environment.lacking(settings, found), environment.refusals(settings, found)
        runs = found.environ is not None
        as_declared = unit.get("LoadState") == "loaded" and not wrong and found.version is not None
        if as_declared and not (changed or stale or disabled or reasons):
            nothing(found, "Ollama runs with the environment that the slots need")
            return
    if unit.get("LoadState") != "loaded":
        yield refuse(
            f"expected Ollama's ollama.service, found it {unit.get('LoadState', 'unknown')}: "
            "install Ollama (or unmask its unit), then deploy again"
        )
        return
    if reasons:
        yield refuse("; ".join(reasons))
        return
    if written := [path for path in changed if path in files]:
        yield scripts.install(files, written)
    if render.OUTDATED in changed:
        yield StringCommand("rm", "-f", render.OUTDATED)
    if changed or stale:
        yield StringCommand("systemctl", "daemon-reload")
    if disabled:
        yield StringCommand("systemctl", "enable", "ollama.service")  # it brings the warm-up with it at boot
    if not as_declared:
        yield from _start(settings, runs, wrong)


def _start(settings: Settings, runs: bool, wrong: dict[str, str]) -> Commands:
    """Ollama is started, or started anew where its process lacks variables, and has them."""
    if not runs:
        say_once(host.name, "start Ollama: it does not run")
    elif wrong:
        say_once(host.name, f"restart Ollama: its process lacks {environment.words(wrong)}")
    yield scripts.await_("restart" if wrong and runs else "start", settings.ollama_url, settings.api_seconds)
    found = read(settings)
    if found is None or found.lacks:
        yield unread(found)
    elif found.environ is None:
        yield refuse(f"Ollama's process has ended, though something answers{found.where}")
    elif wrong := environment.lacking(settings, found):
        yield refuse(environment.in_vain(wrong, found))


@operation()
def models(settings: Settings) -> Commands:
    """Every base is pulled, every variant is made, every slot holds what is declared.

    + settings: of this host

    A slot whose model changes is rotated beside the running one (host/rotate.sh). What fails leaves every slot
    as it was.

    Idempotency:

    + a base is pulled when it, or its weights, are not there
    + a variant is made when its Modelfile, its base's digest or its own digest differ from what its state says
    + each step is planned from what the host has then: an interrupted run is made good by the next
    """
    yield from take(settings, _to_what_is_declared, "every slot holds what is declared")


def _to_what_is_declared(settings: Settings, found: Found, first: bool) -> list[Step]:
    sight = look(settings, found)
    if first:
        check(settings, sight)
    return planned(settings, sight)


@operation()
def warm_up(settings: Settings) -> Commands:
    """``ollama-warmup.service`` is installed and enabled, and has every slot resident.

    + settings: of this host

    Idempotency:

    + unit and script are written when their content differs
    + the unit runs when it is not active, when it was changed, or when a slot is not resident
    """
    for found, _ in looks(settings):
        if found is None or found.lacks:
            yield unread(found)
            return
        at, runs = found.at, found.environ is not None
        files = render.warm_up(settings, needs_gpu(settings, found), at) if at else {}
        changed, unit = differing(files, found), found.units.get("ollama-warmup.service", {})
        stale, enabled = unit.get("NeedDaemonReload") == "yes", unit.get("UnitFileState") == "enabled"
        active, cold = unit.get("ActiveState") == "active", _cold(_faults(settings, found))
        warm = active and not cold and at is not None
        if warm and enabled and not (changed or stale):
            nothing(found, "ollama-warmup is active and every slot is resident")
            return
    if at is None:  # where it listens is not known before it runs
        yield from _start(settings, runs, {})
        found = read(settings)
        if found is None or found.at is None:
            yield unread(found)
            return
        at = found.at
        files = render.warm_up(settings, needs_gpu(settings, found), at)
        changed = differing(files, found)
    if changed:
        yield scripts.install(files, changed)
    if changed or stale:
        yield StringCommand("systemctl", "daemon-reload")
    if not enabled:
        yield StringCommand("systemctl", "enable", "ollama-warmup.service")
    if active and cold:
        say_once(host.name, f"warm up again: {cold}")
    if changed or not warm:
        yield FunctionCommand(_warm, (settings, at), {})


def _warm(state: State, host: Host, settings: Settings, url: str) -> bool:
    """Runs the unit; where it fails, what the slots came to goes into the table all the same."""
    warm = perform(state, host, scripts.warm(settings, url))
    if not warm:
        found = read(settings)
        if found is not None:
            table.report(host, table.rows(settings, found, _faults(settings, found)))
    return warm


@operation()
def proof(settings: Settings) -> Commands:
    """Every slot is resident as declared; fails the host where one is not. Ends a run with the slot table.

    + settings: of this host

    A host on which this run had nothing to do, and was seen so a moment ago, is not read again.

    Idempotency: it changes nothing.
    """
    if not host.state.is_executing:
        return  # what is to be proven is not there before the run
    end = time.monotonic() + SHOWN_SECONDS
    for found, sure in chain(looks(settings), again(settings)):
        if found is None or found.lacks:
            yield unread(found)
            return
        judged = _faults(settings, found)
        shown = time.monotonic() > end or not any(why and why.startswith(EXPIRES) for _, why in judged)
        cold = _cold(judged)
        if cold and not (sure and shown):
            continue
        table.report(host, table.rows(settings, found, judged))
        if cold:
            yield refuse(f"not every slot is resident as declared: {cold}")
        return


def _faults(settings: Settings, found: Found) -> list[tuple[Target, str | None]]:
    """Each slot that is to hold a model, with what is wrong with it."""
    details: Details | None = None
    if doubtful(settings, found):
        details = fact(ModelDetails, url=found.url, models=plan.questions(settings, found))
    return faults(settings, found, details)


def _cold(judged: list[tuple[Target, str | None]]) -> str:
    """What is wrong with the slots, on one line; nothing, where nothing is."""
    return "; ".join(f"slot {target.slot.name}: {why}" for target, why in judged if why)

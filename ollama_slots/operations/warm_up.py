"""Install and run the warm-up unit, and prove every slot resident."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import chain

from pyinfra import host
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.command import PyinfraCommand

from ollama_slots.core import places, plan
from ollama_slots.core.details import Details
from ollama_slots.core.differences import differing, of_variant
from ollama_slots.core.ending import Ended
from ollama_slots.core.held import Held, held
from ollama_slots.core.observed import Observed
from ollama_slots.core.residency import EXPIRES, doubtful, faults, needs_gpu
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.status import watched
from ollama_slots.core.targets import Target
from ollama_slots.host import calls, render, scripts
from ollama_slots.operations.service import announce, start
from ollama_slots.run import errors, table
from ollama_slots.run.executor import perform
from ollama_slots.run.gather import detailed
from ollama_slots.run.session import (
    Commands,
    again,
    hand_on,
    looks,
    nothing,
    overtaken,
    read,
    refuse,
    say_once,
    unread,
)

# The engine shows how long it keeps a model when it has seen a request to its end: up to 5 s after the answer,
# where it waits for the memory of what it unloaded (server/sched.go, v0.32.15).
SHOWN_SECONDS = 15


@operation()
def warm_up(settings: Settings) -> Commands:
    """Install and enable the warm-up unit and the watch, and run the warm-up until every slot is resident.

    + settings: of this host

    Idempotency:

    + units and scripts are written when their content differs
    + the watch's timer is started then, and when it is not active, and a look has to succeed; where there is to be
      no watch, it goes
    + the unit runs when it is not active, when it was changed, or when a slot is not resident
    """
    for observed, since in looks(settings):
        if observed is None or observed.lacks:
            yield unread(observed)
            return
        if reasons := places.contained(observed):
            yield refuse(str(reasons[0]))
            return
        if observed.at is not None:
            late = yield from _run(settings, observed, since)
        else:  # where it listens is not known before it runs
            announce(observed.environ is not None, {})
            late = yield from start(settings, again=False, first=(), since=since)
            started = None if late else next(looks(settings))[0]
            if started and started.at is not None:
                yield from _run(settings, started, "")
            elif not late:
                yield unread(started)
        if not late:
            return


def _run(settings: Settings, observed: Observed, since: str) -> Generator[PyinfraCommand, None, bool]:
    """Have the warm-up as it is to be. Returns whether it was overtaken."""
    wanted = [*_wanted(settings, observed)]
    if not wanted:
        name = settings.warm_up_unit.removesuffix(".service")
        nothing(observed, f"{name} is active and every slot is resident")
        return False
    models = plan.questions(settings, observed) if doubtful(settings, observed) else ()
    yield FunctionCommand(_warm, (settings, wanted, since, tuple(models)), {})
    if overtaken():
        return True
    if left := read(settings):
        hand_on(left)
    return False


def _wanted(settings: Settings, observed: Observed) -> Iterator[scripts.Script]:
    """Yield what has the warm-up and the watch as they are to be; nothing, where they are."""
    files, watch, unit = render.warm_up(settings, observed), render.watch(settings, observed), observed.warm_up
    changed, watch_changed = differing(files, observed), differing(watch, observed)
    units = {settings.warm_up_unit: unit} | ({settings.watch_timer: observed.watch_timer} if watch else {})
    stale = any(it.get("NeedDaemonReload") == "yes" for it in units.values())
    disabled = [name for name, it in units.items() if it.get("UnitFileState") != "enabled"]
    active, cold = unit.get("ActiveState") == "active", _cold(_judged(settings, observed)[0])
    if changed or watch_changed or stale or disabled:
        written = [*changed, *watch_changed]
        yield calls.install({**files, **watch}, written, "", bool(written or stale), disabled)
    starts = watch and (watch_changed or observed.watch_timer.get("ActiveState") != "active")
    if starts:
        yield calls.watching("start")
    elif settings.watch == "off" and watched(observed):
        yield calls.watching("end")
    if active and cold:
        say_once(f"warm up again: {cold}")
    if changed or cold or not active:
        yield calls.warm(settings, observed.at or "", needs_gpu(settings, observed))
    if starts or (watch and observed.watch_fails):
        yield calls.looking()  # at last: what fails it does not keep slots from their warm-up


def _warm(
    state: State, host: Host, settings: Settings, wanted: list[scripts.Script], since: str, models: tuple[str, ...]
) -> bool:
    """Run the scripts; if one fails, report the slots in the table all the same."""
    warm = perform(state, host, settings, wanted, since, models)
    if not warm:
        # What systemd does not even start says so in one line. What fails shows its log, and the slots say more.
        said = errors.reason(state, host)
        why = (said,) if said.startswith("expected ") else ()
        observed = read(settings)
        if observed is not None:
            table.report(
                host, Ended(_held(settings, observed, *_judged(settings, observed)), failed=True, why=why)
            )
    return warm


@operation()
def proof(settings: Settings) -> Commands:
    """Prove every slot resident, or fail the host. Ends a run with the slot table.

    + settings: of this host

    A host on which this run had nothing to do, and was seen so a moment ago, is not read again.

    Idempotency: it changes nothing.
    """
    if not host.state.is_executing:
        return  # what is to be proven is not there before the run
    end = time.monotonic() + SHOWN_SECONDS
    for observed, since in chain(looks(settings), again(settings)):
        if observed is None or observed.lacks:
            yield unread(observed)
            return
        judged, details = _judged(settings, observed)
        shown = time.monotonic() > end or not any(why and why.startswith(EXPIRES) for _, why in judged)
        cold = _cold(judged)
        if cold and (since or not shown):
            continue
        table.report(host, Ended(_held(settings, observed, judged, details), failed=bool(cold)))
        if cold:
            yield refuse(f"not every slot is resident as declared: {cold}")
        return


def _judged(settings: Settings, observed: Observed) -> tuple[list[tuple[Target, str | None]], Details | None]:
    """Return each slot that is to hold a model, with what is wrong with it, and the details that say so."""
    snapshot = Snapshot(settings, observed)
    if doubtful(settings, observed):
        with suppress(ValueError):  # the reason was reported; it is judged without
            snapshot = detailed(snapshot)
    return faults(settings, observed, snapshot.details), snapshot.details


def _held(
    settings: Settings, observed: Observed, judged: list[tuple[Target, str | None]], details: Details | None
) -> tuple[Held, ...]:
    return held(settings, observed, judged, _unlike(settings, observed), details)


def _unlike(settings: Settings, observed: Observed) -> set[str]:
    """Return the names of the slots whose variant differs, as far as that is known without the details."""
    with suppress(ValueError):  # they cannot share weights as declared, which the models' operation refuses
        wanted = Snapshot(settings, observed).wanted
        return {it.slot.name for it in wanted if of_variant(it, observed, render.modelfile(it), None)}
    return set()


def _cold(judged: list[tuple[Target, str | None]]) -> str:
    """Return what is wrong with the slots, on one line; nothing, where nothing is."""
    return "; ".join(f"slot {target.slot.name}: {why}" for target, why in judged if why)

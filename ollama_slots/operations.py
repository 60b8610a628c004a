"""The operations: read a host, plan, and yield what is missing. The thinking is in plan.py."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, Host, State, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from ollama_slots import plan, render, table
from ollama_slots.commands import command, connector_arguments, differing, install, refuse, say_once
from ollama_slots.facts import HostFound, ModelDetails, script
from ollama_slots.found import Details, Found
from ollama_slots.residency import fault, needs_gpu
from ollama_slots.settings import Settings
from ollama_slots.targets import Target, aligned, capped, known_weights, targets

Commands = Generator[PyinfraCommand, None, None]
UNREADABLE = "the host could not be read, so nothing was done; see the message above"
MOST_STEPS = 200  # more than any plan has: a plan that does not end is a defect, not a reason to go on


@operation()
def service(settings: Settings) -> Commands:
    """Ollama runs with the environment that the slots need: keep-alive, and room for every slot.

    + settings: of this host

    Idempotency:

    + the drop-in is written when its content differs; the unit is enabled when it is disabled
    + Ollama is restarted when the environment of the *running* process differs, so that a run which was
      interrupted between the two is made good by the next
    """
    found = host.get_fact(HostFound, settings=settings)
    if found is None:
        yield refuse(UNREADABLE)
        return
    unit = found.units.get("ollama.service", {})
    if unit.get("LoadState") != "loaded":
        yield refuse(
            f"expected Ollama's ollama.service, found it {unit.get('LoadState', 'unknown')}: "
            "install Ollama (or unmask its unit), then deploy again"
        )
        return
    files = {render.DROP_IN: ("644", render.drop_in(settings))}
    changed = differing(files, found)
    if changed:
        yield install(files, changed)
    if changed or unit.get("NeedDaemonReload") == "yes":
        yield StringCommand("systemctl", "daemon-reload")
    if unit.get("UnitFileState") == "disabled":
        yield StringCommand("systemctl", "enable", "ollama.service")  # it brings the warm-up with it at boot

    wrong = _wrong_environment(settings, found)
    if not wrong and found.version is not None:
        host.noop("Ollama runs with the environment that the slots need")
        return
    if wrong:
        say_once(host.name, f"restart Ollama: its process lacks {', '.join(wrong)}")
    verb = "restart" if wrong else "start"
    yield script(
        f"systemctl {verb} ollama.service && waited=0 && "
        'until curl -s --max-time 5 -o /dev/null "$1/api/version"; do '
        'waited=$((waited + 1)); [ $waited -lt "$2" ] || '
        '{ echo "Ollama does not answer at $1 after $2 s" >&2; exit 1; }; sleep 1; done',
        settings.ollama_url,
        settings.api_seconds,
    )
    found = host.get_fact(HostFound, settings=settings)
    wrong = _wrong_environment(settings, found) if found else []
    if wrong:
        yield refuse(f"Ollama was restarted and still lacks {', '.join(wrong)}: another drop-in sets it otherwise")


def _wrong_environment(settings: Settings, found: Found) -> list[str]:
    running = found.environ or {}
    return [f"{key}={value}" for key, value in render.environment(settings).items() if running.get(key) != value]


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
    done: set[str] = set()
    while len(done) < MOST_STEPS:
        found = host.get_fact(HostFound, settings=settings)
        if found is None or found.listed is None or found.runners is None:
            yield refuse(UNREADABLE if found is None else f"Ollama does not answer at {settings.ollama_url}")
            return
        try:
            steps = _steps(settings, found)
        except ValueError as error:
            yield refuse(str(error))
            return
        if not steps:
            if not done:
                host.noop("every slot holds what is declared")
            return
        for step in steps if not host.state.is_executing else steps[:1]:
            host.log(f"{step}")
        if str(steps[0]) in done:
            yield refuse(f"{steps[0]}: was done, and is still to do")
            return
        done.add(str(steps[0]))
        yield command(steps[0], settings, found)
    yield refuse(f"gave up after {MOST_STEPS} steps")


def _steps(settings: Settings, found: Found) -> list[plan.Step]:
    declared = targets(settings, found)
    wanted, _ = aligned(settings, declared, known_weights(declared, found, None))
    details: Details | None = None
    if not plan.settled(settings, wanted, found, render.modelfile):
        details = host.get_fact(ModelDetails, settings=settings, models=plan.questions(settings, found))
        if details is None:
            raise ValueError(UNREADABLE)
    wanted, notices = aligned(settings, declared, known_weights(declared, found, details))
    for notice in notices + capped(wanted, found, details):
        say_once(host.name, notice)
    return plan.steps(settings, wanted, found, details, render.modelfile) if details else []


@operation()
def warm_up(settings: Settings) -> Commands:
    """``ollama-warmup.service`` is installed and enabled, and has every slot resident.

    + settings: of this host

    Idempotency:

    + unit and script are written when their content differs
    + the unit runs when it is not active, when it was changed, or when a slot is not resident
    """
    found = host.get_fact(HostFound, settings=settings)
    if found is None:
        yield refuse(UNREADABLE)
        return
    files = render.warm_up(settings, needs_gpu(settings, found))
    changed = differing(files, found)
    unit = found.units.get("ollama-warmup.service", {})
    if changed:
        yield install(files, changed)
    if changed or unit.get("NeedDaemonReload") == "yes":
        yield StringCommand("systemctl", "daemon-reload")
    if unit.get("UnitFileState") != "enabled":
        yield StringCommand("systemctl", "enable", "ollama-warmup.service")
    cold = [fault for _, fault in _faults(settings, found) if fault]
    if not changed and unit.get("ActiveState") == "active" and not cold:
        host.noop("ollama-warmup is active and every slot is resident")
        return
    yield FunctionCommand(_warm, (settings,), {})


def _warm(state: State, host: Host, settings: Settings) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    """Runs the unit; where it fails, what the slots came to goes into the table all the same."""
    command = script(
        render.host_script("engine", "warm"),
        settings.ollama_url,
        render.keep_alive(settings),
        settings.load_seconds,
        settings.lock_seconds,
    )
    warm, output = host.run_shell_command(command, **connector_arguments(host))
    if not warm:
        for line in output.output_lines:
            host.log_styled(line, fg="red", log_func=logger.error)
        found = host.get_fact(HostFound, settings=settings)
        if found is not None:
            table.report(host, table.rows(settings, found, _faults(settings, found)))
    return bool(warm)


@operation()
def proof(settings: Settings) -> Commands:
    """Every slot is resident as declared; fails the host where one is not. Ends a run with the slot table.

    + settings: of this host

    Idempotency: it changes nothing.
    """
    if not host.state.is_executing:
        return  # what is to be proven is not there before the run
    found = host.get_fact(HostFound, settings=settings)
    if found is None:
        yield refuse(UNREADABLE)
        return
    faults = _faults(settings, found)
    table.report(host, table.rows(settings, found, faults))
    cold = [f"slot {target.slot.name}: {fault}" for target, fault in faults if fault]
    if cold:
        yield refuse("not every slot is resident as declared: " + "; ".join(cold))


def _faults(settings: Settings, found: Found) -> list[tuple[Target, str | None]]:
    """Each slot that is to hold a model, with what is wrong with it."""
    wanted, gpu, for_ever = targets(settings, found), needs_gpu(settings, found), settings.for_ever
    faults = [(target, fault(target, found, gpu, for_ever)) for target in wanted]
    if any(why for _, why in faults) and found.runners:
        # A runner that a foreign name loaded may hold a slot's very weights; only the details tell.
        details = host.get_fact(ModelDetails, settings=settings, models=plan.questions(settings, found))
        faults = [(target, fault(target, found, gpu, for_ever, details)) for target in wanted]
    return faults

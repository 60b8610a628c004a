"""The operations between deploys: what an owner looks at, undoes, and clears away."""

from __future__ import annotations

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, Host, State, operation

from ollama_slots import drift, names, plan, table, versions
from ollama_slots import rollback as back
from ollama_slots.commands import UNREADABLE, Commands, fact, read, say_once, take
from ollama_slots.facts import HostStored, ModelDetails, SlotStatus
from ollama_slots.found import Found
from ollama_slots.look import ask, look, planned
from ollama_slots.prune import lines, listing
from ollama_slots.published import Answers, Unknown
from ollama_slots.settings import Settings
from ollama_slots.step import Step
from ollama_slots.targets import targets


@operation()
def status(settings: Settings) -> Commands:
    """Fails the host with a line for each thing that is not as declared. Ends a run with the slot table.

    + settings: of this host

    What cannot be known is not as declared: a host that cannot be read, an Ollama that does not answer. A base
    that moved in its registry counts too; a registry that cannot be asked from here is a notice.

    Idempotency: it changes nothing.
    """
    seen = fact(SlotStatus, settings=settings)
    if seen is None:
        told, rows = ["it could not be read, so its slots are unknown; see the message above"], [table.UNKNOWN]
    elif seen.found.lacks:
        told, rows = [seen.found.lacks], [table.UNKNOWN]
    else:
        if notice := versions.notice(seen.found.version):
            say_once(host.name, notice)
        differences = [*seen.differences, *drift.moved(settings, seen.found, _answers(settings, seen.found))]
        told, rows = [str(it) for it in differences], table.rows(settings, seen.found, seen.faults)
    if told:
        if not host.state.is_executing:
            for line in told:
                say_once(host.name, line)
        yield FunctionCommand(_tell, (told, rows), {})
        return
    if host.state.is_executing:
        table.report(host, rows)
    host.noop("every slot, unit and file is as declared")


def _answers(settings: Settings, found: Found) -> Answers:
    answers = ask(settings, [it.model for it in targets(settings, found)], shape=False)
    for key, answer in answers.items():
        if isinstance(answer, Unknown):
            model = names.parse(key).short
            say_once(host.name, f"{model}: {settings.registry} cannot be asked from here ({answer.why})")
    return answers


def _tell(state: State, host: Host, lines: list[str], rows: list[table.Row]) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    """What differs; then the host's part of the table, so that the table comes last."""
    for line in lines:
        host.log_styled(line, fg="red", log_func=logger.error)
    table.report(host, rows)
    return False


@operation()
def rollback(settings: Settings) -> Commands:
    """Slots go back to the variant that they had before, by the rotation by which they left it.

    + settings: of this host; ``rollback`` names a slot, or all of them

    The state and the Modelfile follow. What the data declare is as it was, so the next deploy would go forward
    again: it is told.

    Idempotency: a slot that holds the older one of its two variants is left alone.
    """
    yield from take(settings, _to_what_was, "no slot has an older variant to go back to")
    found = read(settings) if host.state.is_executing else None
    if found and found.listed is not None and found.runners is not None:
        try:
            told = [f"the next deploy would: {step}" for step in planned(settings, look(settings, found))]
        except ValueError as error:
            told = [f"the next deploy would be refused: {error}"]
        for line in told:
            say_once(host.name, line)


def _to_what_was(settings: Settings, found: Found, first: bool) -> list[Step]:  # noqa: ARG001 (as take calls)
    if refusal := versions.refusal(found.version):
        raise ValueError(refusal)
    details = fact(ModelDetails, url=found.url, models=plan.questions(settings, found))
    if details is None:
        raise ValueError(UNREADABLE)
    return back.steps(settings, found, details.as_of(found))


@operation()
def prune(settings: Settings) -> Commands:
    """What this tool brought and nothing declares any more is listed, and removed where ``prune`` says so.

    + settings: of this host

    What someone else made or pulled is never touched (prune.py).

    Idempotency:

    + without ``prune`` it changes nothing
    + each removal is planned from what the host has then: after the last there is nothing more to remove
    """
    yield from take(settings, _to_remove, "nothing is removed")


def _to_remove(settings: Settings, found: Found, first: bool) -> list[Step]:
    stored = fact(HostStored)
    if stored is None:
        raise ValueError(UNREADABLE)
    rows = listing(settings, found, stored)
    if first and rows:
        for line in lines(settings, rows):
            say_once(host.name, line)
    return [row.step for row in rows if row.step and settings.prune]

"""Report the slots, and all drift."""

from __future__ import annotations

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, Host, State, operation

from ollama_slots.core import names, versions
from ollama_slots.core.ending import UNREAD, Ended
from ollama_slots.core.held import held
from ollama_slots.core.observed import Observed
from ollama_slots.core.published import Answers, Unknown
from ollama_slots.core.settings import Settings
from ollama_slots.core.status import moved, unlike
from ollama_slots.core.targets import targets
from ollama_slots.facts import SlotStatus
from ollama_slots.run import table
from ollama_slots.run.gather import ask
from ollama_slots.run.session import Commands, fact, say_once


@operation()
def status(settings: Settings) -> Commands:
    """Report drift: fail the host with a line for each difference. Ends a run with the slot table.

    + settings: of this host

    What cannot be known is not as declared: a host that cannot be read, an Ollama that does not answer. A base
    that moved in its registry counts too; a registry that cannot be asked from here is a notice.

    Idempotency: it changes nothing.
    """
    judged = fact(SlotStatus, settings=settings)
    if judged is None:
        told = ["the host could not be read, so its slots are unknown; see the message above"]
        ended = Ended(instead=UNREAD, failed=True)
    elif judged.snapshot.observed.lacks:
        told = [judged.snapshot.observed.lacks]
        ended = Ended(instead=UNREAD, failed=True, why=(*told,))
    else:
        observed = judged.snapshot.observed
        if notice := versions.notice(observed.version):
            say_once(notice)
        differences = [*judged.differences, *moved(settings, observed, _answers(settings, observed))]
        told = [str(it) for it in differences]
        slots = held(settings, observed, judged.faults, unlike(differences), judged.snapshot.details)
        ended = Ended(slots, failed=bool(told), why=(*told,))
    if told:
        if not host.state.is_executing:
            for line in told:
                say_once(line)
        yield FunctionCommand(_tell, (told, ended), {})
        return
    if host.state.is_executing:
        table.report(host, ended)
    host.noop("no drift: every slot, unit and file is as declared")


def _answers(settings: Settings, observed: Observed) -> Answers:
    answers = ask(settings, [it.model for it in targets(settings, observed)], shape=False)
    for key, answer in answers.items():
        if isinstance(answer, Unknown):
            model = names.parse(key).short
            say_once(f"{model}: {settings.registry} cannot be queried from the control machine ({answer.why})")
    return answers


def _tell(state: State, host: Host, lines: list[str], ended: Ended) -> bool:  # noqa: ARG001 (pyinfra calls by these names)
    """Log the differences, then report how it has ended, so that the table comes last."""
    for line in lines:
        host.log_styled(line, fg="red", log_func=logger.error)
    table.report(host, ended)
    return False

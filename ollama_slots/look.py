"""Looks at a host, and at registries where something is to be pulled: all that plans and checks are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyinfra import host

from ollama_slots import names, plan, preflight, render, versions
from ollama_slots.commands import UNREADABLE, fact, say_once
from ollama_slots.facts import ModelDetails
from ollama_slots.found import Details, Found
from ollama_slots.published import Answers
from ollama_slots.settings import Settings
from ollama_slots.step import Pull, Step
from ollama_slots.targets import Target, aligned, capped, known_weights, targets


@dataclass(frozen=True)
class Sight:
    """A host as it was seen, and what it is to hold."""

    declared: list[Target]
    wanted: list[Target]  # their windows aligned
    found: Found
    details: Details | None  # None: it is as declared, and nothing more was asked
    answers: Answers  # of the registries, for what is to be pulled


def look(settings: Settings, found: Found) -> Sight:
    """What there is to know before anything is done.

    + settings, found: of the host at hand

    Raises ValueError where slots cannot share weights as they are declared, or the host cannot be read.
    """
    if refusal := versions.refusal(found.version):
        raise ValueError(refusal)
    declared = targets(settings, found)
    wanted, _ = aligned(settings, declared, known_weights(declared, found, None))
    details: Details | None = None
    answers: Answers = {}
    if not plan.settled(settings, wanted, found, render.modelfile):
        models = plan.questions(settings, found)
        details = fact(ModelDetails, url=found.url, models=models, doubted=plan.doubted(found))
        if details is None:
            raise ValueError(UNREADABLE)
        details = details.as_of(found)
        answers = ask(settings, preflight.to_pull(wanted, details))
    wanted, notices = aligned(settings, declared, known_weights(declared, found, details))
    for notice in notices + capped(wanted, found, details):
        say_once(host.name, notice)
    return Sight(declared, wanted, found, details, answers)


def ask(settings: Settings, models: list[str], shape: bool = True) -> Answers:
    """What the registries of these models say of them.

    + shape: whether to ask for what GPU memory is foreseen by, too
    """
    if not models:
        return {}
    # It brings requests, which takes longer to import than a host with nothing to do.
    from ollama_slots import registry  # noqa: PLC0415

    mirror = settings.model_registry
    return {names.parse(it).key: registry.ask(it, settings.pull_insecure, mirror, shape) for it in models}


def check(settings: Settings, sight: Sight) -> None:
    """Tells what cannot be checked, and in a dry run what the slots will need.

    Raises ValueError with every reason for which a deploy would not end well.
    """
    if notice := versions.notice(sight.found.version):
        say_once(host.name, notice)
    if sight.details is None:
        return
    given = (settings, sight.declared, sight.found, sight.details, sight.answers)
    for notice in preflight.notices(*given):
        say_once(host.name, notice)
    reasons = preflight.refusals(*given)
    if reasons:
        raise ValueError("; ".join(reasons))
    if not host.state.is_executing:
        for line in preflight.outlook(*given):
            say_once(host.name, line)


def planned(settings: Settings, sight: Sight) -> list[Step]:
    """The steps to what is declared; in a dry run with those after a pull, where a registry tells of it."""
    if sight.details is None:
        return []
    steps = plan.steps(settings, sight.wanted, sight.found, sight.details, render.modelfile)
    pulls = [it for it in steps if isinstance(it, Pull)]
    if not pulls:
        return steps
    found, details = preflight.foreseen(sight.found, sight.details, sight.answers)
    steps = [replace(it, size=preflight.bytes_to_pull([it.model], sight.details, sight.answers)) for it in pulls]
    if not host.state.is_executing and not preflight.to_pull(sight.wanted, details):
        wanted, _ = aligned(settings, sight.declared, known_weights(sight.declared, found, details))
        steps += plan.steps(settings, wanted, found, details, render.modelfile)
    return steps

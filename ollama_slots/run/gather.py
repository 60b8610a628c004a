"""Gather a snapshot of a host, and of registries for what has to be pulled: the input of plans and checks."""

from __future__ import annotations

from dataclasses import replace

from pyinfra import host

from ollama_slots.core import names, plan, preflight, versions
from ollama_slots.core.observed import Observed
from ollama_slots.core.published import Answers
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.steps import Pull, Step
from ollama_slots.core.targets import capped
from ollama_slots.facts import ModelDetails
from ollama_slots.host.render import modelfile
from ollama_slots.run.session import UNREADABLE, fact, run, say_once


def gather(settings: Settings, observed: Observed) -> Snapshot:
    """Gather the snapshot of a host: observed, desired, details, registry answers.

    + settings, observed: of the host at hand

    Raises ValueError where slots cannot share weights as they are declared, or the host cannot be read.
    """
    if refusal := versions.refusal(observed.version):
        raise ValueError(refusal)
    snapshot = Snapshot(settings, observed)
    if not plan.settled(snapshot, modelfile):
        snapshot = detailed(snapshot, plan.doubted(observed))
        snapshot = replace(snapshot, answers=ask(settings, snapshot.to_pull))
    for notice in snapshot.alignment[1] + capped(snapshot.wanted, observed, snapshot.details):
        say_once(notice)
    return snapshot


def detailed(snapshot: Snapshot, doubted: tuple[str, ...] = ()) -> Snapshot:
    """Ask the host at hand for the details of its models.

    + doubted: weights, by sha256, that are read and compared with their digest

    Raises ValueError where it cannot be read.
    """
    settings, observed = snapshot.settings, snapshot.observed
    models, details = plan.questions(settings, observed), observed.details
    if doubted or details is None or not details.asked.issuperset(models):
        details = fact(ModelDetails, unit=observed.unit, url=observed.url, models=models, doubted=doubted)
    if details is None:
        raise ValueError(UNREADABLE)
    seen = replace(snapshot, observed=observed.model_copy(update={"details": details}))
    return seen.with_details(details)


def ask(settings: Settings, models: list[str], shape: bool = True) -> Answers:
    """Ask the registries of these models.

    + shape: whether to ask for what GPU memory is foreseen by, too
    """
    insecure, mirror = settings.pull_insecure, settings.model_registry
    spelled = names.spellings(models)
    return {key: run().registry.ask(it, insecure, mirror, shape) for key, it in spelled.items()}


def check(snapshot: Snapshot) -> None:
    """Report what cannot be checked, and in a dry run what the slots will need.

    Raises ValueError with every reason for which a deploy would not end well.
    """
    if notice := versions.notice(snapshot.observed.version):
        say_once(notice)
    if not snapshot.declared and any(it.model is None for it in snapshot.settings.slots):
        say_once("no slot has a model: set slotN_model, or put a model_selection.json beside deploy.py")
    if reasons := preflight.renamed(snapshot):
        raise ValueError("; ".join(reasons))
    if snapshot.details is None:
        for notice in preflight.undeclared_stay(snapshot):
            say_once(notice)
        if why := preflight.too_many(snapshot):
            raise ValueError(why)
        return
    for notice in preflight.notices(snapshot):
        say_once(notice)
    if reasons := preflight.refusals(snapshot):
        raise ValueError("; ".join(reasons))
    if not host.state.is_executing:
        for line in preflight.outlook(snapshot):
            say_once(line)


def planned(snapshot: Snapshot) -> list[Step]:
    """Plan the steps to the desired state; in a dry run also those after a pull, where a registry knows of it."""
    if snapshot.details is None:
        return []
    steps = plan.steps(snapshot, modelfile)
    pulls = [it for it in steps if isinstance(it, Pull)]
    if not pulls:
        return steps
    steps = [replace(it, size=snapshot.bytes_to_pull([it.model])) for it in pulls]
    if not host.state.is_executing and not snapshot.foreseen.to_pull:
        steps += plan.steps(snapshot.foreseen, modelfile)
    return steps

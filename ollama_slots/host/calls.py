"""Call the scripts beside this file: each with what it takes, from what is declared, planned and observed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal, NamedTuple

from ollama_slots.core import hours, names
from ollama_slots.core.needs import TOOLS
from ollama_slots.core.rendered import Files
from ollama_slots.core.settings import EMPTY, Settings
from ollama_slots.core.steps import Pull, Remove, Rotate
from ollama_slots.host.scripts import MARK, Script

DRIVER_SECONDS = 10  # that a GPU's driver may take to answer
Shows = Literal["yes", "no", "new"]


class Asking(NamedTuple):
    """How questions are asked.

    + lines: the questions, each a word of the API and the body of a request, in ASCII
    + seconds: the bound of one answer
    + polite: each waits while a slot is at work
    + turn: the seconds after which no other one is begun
    """

    lines: str
    seconds: int
    polite: bool
    turn: int


class Trial(NamedTuple):
    """A candidate, as trial.sh takes it.

    + model: its base
    + candidate: its name on the host
    + variant: its manifest digest
    + blob: the sha256 of its weights
    + context: its window, in tokens
    + whole: whether it has to be wholly in GPU memory
    + needs: the bytes of GPU memory that have to be free before it is loaded; nothing: that is not looked at
    + most: how many models Ollama holds at once
    + stay: how long it stays in memory after an answer, in JSON
    + makes_way: whether slots make way for it
    """

    model: str
    candidate: str
    variant: str
    blob: str
    context: int
    whole: bool
    needs: int | Literal[""]
    most: int
    stay: str
    makes_way: bool


def keep_alive(settings: Settings) -> str:
    """Return the keep-alive as a request's JSON has it: a number of seconds, or a quoted duration."""
    return json.dumps(settings.keep_alive)


def probe(settings: Settings, shows: Shows = "no", models: Iterable[str] = ()) -> Script:
    """Ask all that a deploy has to know of a host; ``observed.Observed`` is read from what it prints.

    + shows: whether it asks what these models are made of, too, as ``details`` does; new: where a declared slot is
    """
    given = {"url": settings.ollama_url or "", "tools": " ".join(TOOLS), "shows": shows}
    declared = " ".join(it.name for it in settings.slots if it.model not in (None, EMPTY))
    return Script("probe", given | {"declared": declared}, tuple(models), read=True)


def details(url: str, models: Iterable[str], doubted: Iterable[str] = ()) -> Script:
    """Ask what some models are made of, and how much memory and disk is free.

    + doubted: weights, by sha256, that are read and compared with it, which takes seconds a gigabyte
    """
    return Script("details", {"url": url, "doubted": " ".join(doubted)}, tuple(models), read=True)


def stored() -> Script:
    """Ask what every model in the store is made of, and what unfinished pulls left."""
    return Script("stored", {}, read=True)


def speed(url: str, seconds: int) -> Script:
    """Measure how fast every slot answers.

    + seconds: the bound of one answer
    """
    return Script("speed", {"url": url, "seconds": seconds}, read=True)


def questions(settings: Settings, url: str, slot: str, variant: str, needs_gpu: bool, asking: Asking) -> Script:
    """Ask a slot questions for as long as it is resident; ``questions.parse_questions`` reads what it prints.

    It marks its lines itself: they come as they are made.

    + variant: its manifest digest, as the slot's state has it
    + needs_gpu: whether it must be wholly in GPU memory, on this host
    """
    given = {"url": url, "keep_alive": keep_alive(settings), "slot": slot, "variant": variant}
    given["gpu"] = _word(needs_gpu)
    return Script("questions", given | _asking(settings, asking), stdin=asking.lines)


def trial(settings: Settings, url: str, of: Trial, needs_gpu: bool, asking: Asking) -> Script:
    """Ask a candidate questions, and load it first where that evicts nothing; its output is that of ``questions``.

    + needs_gpu: whether slots must be wholly in GPU memory, on this host
    """
    given: dict[str, str | int] = {"url": url, "keep_alive": keep_alive(settings), "gpu": _word(needs_gpu)}
    bounds = {"load_seconds": settings.load_seconds, "lock_seconds": settings.lock_seconds}
    own = {key: _word(it) if isinstance(it, bool) else it for key, it in of._asdict().items()}
    return Script("trial", given | bounds | own | _asking(settings, asking), stdin=asking.lines)


def _asking(settings: Settings, asking: Asking) -> dict[str, str | int]:
    opens, closes = hours.parse(settings.benchmark_window) if settings.benchmark_window else ("", "")
    given: dict[str, str | int] = {
        "seconds": asking.seconds,
        "turn": asking.turn,
        "opens": opens,
        "closes": closes,
    }
    return given | {"polite": _word(asking.polite), "bytes": len(asking.lines), "mark": MARK}


def candidate(
    verb: Literal["make", "remove"], settings: Settings, url: str, name: str, modelfile: str = ""
) -> Script:
    """Make a candidate of the benchmark, without loading it, or take it away.

    + name: its name on the host
    + modelfile: its text
    """
    given: dict[str, str | int] = {"url": url, "verb": verb, "candidate": name}
    given |= {"load_seconds": settings.load_seconds, "lock_seconds": settings.lock_seconds}
    given["modelfile"] = sha256(modelfile.encode()).hexdigest()
    return Script("candidate", given, read=True, stdin=f"{modelfile}\n")


def install(
    files: Files, chosen: Iterable[str], gone: str = "", reload: bool = False, enable: Iterable[str] = ()
) -> Script:
    """Put the chosen ones of these files in place, each whole or not at all, and have systemd know of them.

    + gone: a file that is there no more then
    + reload: systemd reads its units again
    + enable: units
    """
    given = {"gone": gone, "reload": _word(reload), "enable": " ".join(enable)}
    them = [(place, *files[place]) for place in chosen]
    listed = tuple(it for place, mode, text in them for it in (place, mode, f"{len(text.encode())}"))
    return Script("install", given, listed, stdin="".join(text for _, _, text in them))


def await_(verb: Literal["start", "restart"], settings: Settings, asks_driver: bool = False) -> Script:
    """Start or restart Ollama, and wait, bounded, until it answers.

    + asks_driver: it is not restarted while the GPU's driver does not answer
    """
    given: dict[str, str | int] = {"verb": verb, "url": settings.ollama_url or "", "seconds": settings.api_seconds}
    return Script("await", given | {"driver_seconds": DRIVER_SECONDS if asks_driver else ""})


def warm(settings: Settings, url: str, needs_gpu: bool) -> Script:
    """Run the warm-up unit, and repair what keeps it from having every slot resident.

    + needs_gpu: whether a runner must be wholly in GPU memory
    """
    bounds = {"load_seconds": settings.load_seconds, "lock_seconds": settings.lock_seconds}
    return Script("warm", {"url": url, "keep_alive": keep_alive(settings), "gpu": _word(needs_gpu), **bounds})


def watching(verb: Literal["start", "end"]) -> Script:
    """Have the watch's timer run, or no watch at all."""
    return Script("watching", {"verb": verb})


def looking() -> Script:
    """See a look of the watch succeed."""
    return Script("looking", {})


def pull(step: Pull, settings: Settings, url: str) -> Script:
    """Pull a model by Ollama, from the model's own registry."""
    given = {"url": url, "model": step.model, "insecure": str(settings.pull_insecure).lower()}
    return Script("pull", given | _bringing(step, settings))


def fetch(step: Pull, settings: Settings, url: str, mirror: str) -> Script:
    """Fetch a model from a mirror into the store, past Ollama, which would take the mirror for its name.

    + mirror: the mirror's URL
    """
    name = names.parse(step.model)
    where = {"path": "/".join(name), "mirror": mirror, "repository": name.repository, "tag": name.tag.lower()}
    return Script("fetch", {"url": url, "model": step.model, **where, **_bringing(step, settings)})


def _bringing(step: Pull, settings: Settings) -> dict[str, str | int]:
    return {
        "for_slots": " and ".join(step.slots),
        "stall_seconds": settings.pull_stall_seconds,
        "total_seconds": settings.pull_seconds,
        "lock_seconds": settings.lock_seconds,
        "record_base": _word(step.ours),
        "damaged": " ".join(step.damaged),
    }


def remove(step: Remove, settings: Settings, url: str) -> Script:
    """Unload, put back, delete and forget models and slots of ours."""
    return Script(
        "remove",
        {
            "url": url,
            "lock_seconds": settings.lock_seconds,
            "unloaded": step.unload or "",
            "interrupted": step.put_back or "",
            "forgotten": step.forget or "",
            "discarded": " ".join(it.removeprefix("sha256:") for it in step.discard),
        },
        step.delete,
    )


def rotate(step: Rotate, settings: Settings, url: str, needs_gpu: bool) -> Script:
    """Make a slot's variant, prove it, and switch the slot to it.

    After the Modelfile is a newline that is always there, for pyinfra would add one where none is.

    + needs_gpu: whether a runner must be wholly in GPU memory
    """
    stdin = f"{step.modelfile}\n"
    return Script(
        "rotate",
        {
            "url": url,
            "keep_alive": keep_alive(settings),
            "load_seconds": settings.load_seconds,
            "lock_seconds": settings.lock_seconds,
            "slot": step.target.slot.name,
            "rolls_back": _word(not step.modelfile),
            "state": step.state.lines(),
            "weights": step.state.weights,
            "context": step.state.context,
            "known": " ".join(step.known),
            "gpu": _word(needs_gpu),
            "make_room": _word(step.make_room),
            "unload_old": _word(step.unload_old),
            "alone": _word(step.alone),
            "bytes": len(stdin.encode()),
        },
        stdin=stdin,
    )


def _word(flag: bool) -> str:
    return "yes" if flag else "no"

"""Turn the scripts beside this file into commands: the one front door to them, arguments by name.

A script says at its head what it needs and takes:

    # needs: engine store        libraries, which say the same of themselves
    # takes: url model           arguments, which it finds as $url and $model; or nothing
    # lists: MODEL...            what it finds as "$@", if anything

What is sent is one text: the unit of the Ollama in question, paths.sh, the libraries, each after those that it
needs, and the script with its arguments; or several of them, each in a shell of its own, until one fails. It
passes the login shell, which need not be sh: see ``command``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from shlex import quote
from string import Template
from typing import Literal, NamedTuple

from pyinfra.api import QuoteString, StringCommand

from ollama_slots.core import hours, names, units
from ollama_slots.core.needs import TOOLS
from ollama_slots.core.rendered import Files
from ollama_slots.core.settings import EMPTY, Settings
from ollama_slots.core.steps import Pull, Remove, Rotate

HERE = Path(__file__).parent
PATHS, SINCE = "paths", "since"
DRIVER_SECONDS = 10  # that a GPU's driver may take to answer
# Before what a script prints for parse.py: whatever else comes over the connection, such as what a .bashrc says,
# has none. It comes as one line, with a character for each newline in it: pyinfra takes as long for a line as for
# many kilobytes.
MARK, NEWLINE = "slots|", "\037"
Shows = Literal["yes", "no", "new"]
CHANGED = "== changed since"
DECODE = 'eval "$(printf %b "$1")"'
# What login shells do not agree on between single quotes is sent as an escape of printf's: fish knows \\ and \'
# there, and to csh a newline is the end and ! its history. (A ' would take 17 characters.) The others begin with
# the first.
ESCAPES = {"\\": r"\0134", "\n": r"\n", "'": r"\0047", "!": r"\0041"}


@cache
def source(name: str) -> str:
    """Return the text of a script or library as it is in its file. Raises ValueError where there is none."""
    try:
        return (HERE / f"{name}.sh").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{name}: no such script") from None


def said(name: str, word: str) -> list[str] | None:
    """Return what a script's head says after ``needs``, ``takes`` or ``lists``; None where it does not say it."""
    head = re.match(r"(#.*\n)*", source(name))
    line = re.search(rf"^# {word}: (.+)$", head[0] if head else "", re.MULTILINE)
    return [it for it in line[1].split() if it != "nothing"] if line else None


def every() -> list[str]:
    """Return the names of all scripts: what runs by itself, and says what it takes."""
    found = sorted(path.stem for path in HERE.glob("*.sh"))
    return [name for name in found if said(name, "takes") is not None]


def resolved(*wanted: str) -> list[str]:
    """Return these with all that they need, each once and after what it needs.

    Raises ValueError where one is not there, or needs itself by way of others.
    """
    order: list[str] = []

    def add(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"{' needs '.join((*path[path.index(name) :], name))}")
        for other in said(name, "needs") or []:
            add(other, (*path, name))
        if name not in order:
            order.append(name)

    for name in wanted:
        add(name, ())
    return order


def libraries(*wanted: str, root: str = "", unit: str = units.DEFAULT) -> str:
    """Return the text of libraries with all that they need, for a script that is not here.

    + root: the directory that is the host; a host's own is ""
    + unit: of the Ollama in question
    """
    return _assigned(_given(root, unit)) + _sources(*resolved(*wanted))


@dataclass(frozen=True)
class Script:
    """A script of this room with what it is given.

    + arguments: exactly those that it takes
    + lists: what it finds as "$@"
    + read: what it prints is for parse.py, as one line with the mark before it. Such a script ends with 0; that it
      failed is in what it printed: it did not come to its end
    + stdin: what it reads there: a command line is every user's to read, and its length is bounded (128 KiB)
    """

    name: str
    arguments: Mapping[str, str | int]
    lists: tuple[str, ...] = ()
    read: bool = False
    stdin: str = ""

    def text(self) -> str:
        """Return its own text, before which its libraries have to come, and what it lists."""
        takes = said(self.name, "takes")
        if takes is None:
            raise ValueError(f"{self.name}: is a library")
        if wrong := self.arguments.keys() ^ set(takes):
            names = " ".join(sorted(wrong))
            raise ValueError(f"{self.name}: takes {' '.join(takes or ['nothing'])}; missing or unknown: {names}")
        return _assigned({name: self.arguments[name] for name in takes}) + source(self.name)


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


def text(script: str, /, *, root: str = "", unit: str = units.DEFAULT, **arguments: str | int) -> str:
    """Return the whole text of a script. What it ``lists`` has to follow as the arguments of ``sh``.

    + root: the directory that is the host; a host's own is ""
    + unit: of the Ollama in question
    + arguments: exactly those that it takes

    Raises ValueError where one is missing or unknown.
    """
    own = Script(script, arguments).text()
    return _libraries([script], root, unit) + own


def _libraries(names: list[str], root: str, unit: str) -> str:
    return libraries(*(it for it in resolved(*names) if said(it, "takes") is None), root=root, unit=unit)


def _given(root: str, unit: str) -> dict[str, str | int]:
    """Return what paths.sh goes by."""
    return {"root": root, "unit": unit, "stem": units.stem(unit)}


def _assigned(given: dict[str, str | int]) -> str:
    return "".join(f"{name}={quote(str(value))}\n" for name, value in given.items())


@cache
def _sources(*resolved: str) -> str:
    return "".join(map(source, (PATHS, *resolved)))


@cache
def paths(root: str = "", unit: str = units.DEFAULT) -> dict[str, str]:
    """Return every path of paths.sh by its name there."""
    found = {name: str(it) for name, it in _given(root, unit).items()}
    for name, value in re.findall(r"^ *([a-z_]+)=(\S+)", source(PATHS), re.MULTILINE):
        found[name] = Template(value).substitute(found)
    return found


def path(name: str, root: str = "", unit: str = units.DEFAULT) -> str:
    """Return a path of paths.sh, such as that of the ``warm_up_script``. Raises KeyError where there is none."""
    return paths(root, unit)[name]


def command(*wanted: Script, unit: str = units.DEFAULT, since: str = "") -> StringCommand:
    """Return the command that runs scripts, each after the one before has succeeded.

    + unit: of the Ollama in question
    + since: what since.sh said when the host was looked at; where it says otherwise, nothing is run but to tell so

    It is the same in sh, fish and csh, whichever of them the login shell is. To read it, such as in ``--debug``:
    ``printf %b TEXT``.
    """
    names, own = [it.name for it in wanted], [_set(*it.lists) + it.text() for it in wanted]
    if len(wanted) > 1 or wanted[0].read:
        own = [_read(f"(\n{text})") if it.read else f"(\n{text})" for it, text in zip(wanted, own, strict=True)]
    text = " &&\n".join(own)
    if since:
        text = f'if [ "$(since)" = {quote(since)} ]; then\n{text}\nelse echo {quote(MARK + CHANGED)}; fi\n'
    sent = escaped(_libraries([*names, *([SINCE] if since else [])], "", unit) + text)
    called = f"ollama-slots/{'+'.join(dict.fromkeys(names))}"
    return StringCommand("sh", "-c", QuoteString(DECODE), called, QuoteString(sent))


def _read(shell: str) -> str:
    newline = rf"\{ord(NEWLINE):03o}"
    return f"{{ printf %s '{MARK}'; {shell} | tr '\\n{newline}' '{newline} '; echo; }}\n"


def _set(*lists: str) -> str:
    return f"set --{''.join(f' {quote(it)}' for it in lists)}\n"


def escaped(text: str) -> str:
    """Return a text as it is sent, which printf's %b takes back."""
    for it, escape in ESCAPES.items():
        text = text.replace(it, escape)
    return text


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

"""Work out which environment the files of Ollama's unit, the owner's and ours, add up to. Pure.

As systemd has it (systemd.exec(5)): what EnvironmentFile= names wins over any Environment=, the file that is named
last over all; then UnsetEnvironment= takes away; then the program of ExecStart= sets what it likes (shell.py).
Drop-ins are read in the order of their names, whatever their directories.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from ollama_slots.core import meaning, shell
from ollama_slots.core.observed import Line, Observed

Texts = dict[str, list[Line]]  # by path
COMMENT = r"\s*[#;]"
WORD = r"""(?:"[^"]*"|'[^']*'|\S+)"""


class Place(NamedTuple):
    """Where a variable gets its value, which is None where that takes it away."""

    value: str | None
    where: str  # FILE:LINE
    started: bool = False  # by what ExecStart= runs


class Conflict(NamedTuple):
    """A variable that will not be as declared, and what is written in its way."""

    name: str
    wanted: str
    value: str | None
    where: str  # FILE:LINE

    @property
    def found(self) -> str:
        """What is written there, in words."""
        does = f"unsets {self.name}" if self.value is None else f"sets {self.name}={self.value}"
        return f"that it {does}"


def conflicts(
    environment: dict[str, str], shown: Collection[str], observed: Observed, drop_in: str, file: str
) -> list[Conflict]:
    """Return the variables that something on the host overrides, however often Ollama is restarted.

    + environment: as declared
    + shown: those that Ollama's process shows to be as declared, whatever its start script looks like
    + drop_in, file: our own drop-in, and the environment file that it names, as they will be
    """
    ours = [Line(drop_in, 1, "[Service]"), Line(drop_in, 2, f"EnvironmentFile={file}")]
    ours += [Line(file, number, f"{name}={value}") for number, (name, value) in enumerate(environment.items(), 1)]
    texts: Texts = {}
    for line in [it for it in observed.settings if it.path not in {drop_in, file}] + ours:
        texts.setdefault(line.path, []).append(line)
    fragment = observed.service.get("FragmentPath", "")
    places = _places(_unit(fragment, texts), texts, list(environment))
    return [
        Conflict(name, wanted, place.value, place.where)
        for name, wanted in environment.items()
        if not _holds(name, wanted, (place := places[name]).value) and not (place.started and name in shown)
    ]


def _holds(name: str, wanted: str, value: str | None) -> bool:
    return value is not None and shell.known(value) and meaning.same(name, wanted, value)


def _unit(fragment: str, texts: Texts) -> Iterator[Line]:
    """Yield the lines of the unit's files, in the order in which systemd reads them."""
    yield from texts.get(fragment, [])
    drop_ins: dict[str, str] = {}
    for path in sorted(texts, key=lambda path: (not path.startswith("/etc/"), not path.startswith("/run/"))):
        # The unit's own, those of its template and of names that begin as its does, and those of every service.
        if re.search(r"/([^/]+\.)?service\.d/[^/]+\.conf$", path):
            drop_ins.setdefault(path.rpartition("/")[2], path)
    for _, path in sorted(drop_ins.items()):
        yield from texts[path]


def _places(unit: Iterator[Line], texts: Texts, names: list[str]) -> dict[str, Place]:
    """Return the place that decides on each of the variables."""
    set_in: dict[str, Place] = {}
    read: dict[str, Place] = {}
    unset: list[tuple[str, str]] = []
    starts: list[tuple[str, str]] = []
    for key, value, where in _service(unit):
        if key == "Environment":
            set_in = set_in | _assignments(_words(value), where) if value else {}
        elif key == "EnvironmentFile":
            read = read | _read(value, texts) if value else {name: Place(None, where) for name in read}
        elif key == "UnsetEnvironment":
            unset = [*unset, *((word, where) for word in _words(value))] if value else []
        elif key == "ExecStart":
            starts = [*starts, (value, where)] if value else []
    places = set_in | {
        name: it if it.value is not None or name not in set_in else Place(set_in[name].value, it.where)
        for name, it in read.items()
    }
    for word, where in unset:
        name, given, value = word.partition("=")
        if not given or (name in places and places[name].value == value):
            places[name] = Place(None, where)
    for text, where in starts:
        for name, set_to, there in shell.assigned(_command(text), where, texts, names):
            places[name] = Place(set_to, there, started=True)
    return places


def _command(text: str) -> str:
    """Return the command line of an ExecStart=, without the prefixes of its program (systemd.service(5)).

    With @ among them, the word after the program is what the program is told that its name is.
    """
    program = text.lstrip("@-:+!|")
    if "@" in text.removesuffix(program):
        program = re.sub(rf"^({WORD})\s+{WORD}", r"\1", program)
    return program.replace("$$", "$")


def _service(unit: Iterator[Line]) -> Iterator[tuple[str, str, str]]:
    """Yield key, value and place of each setting of [Service], continued lines joined; comments never are."""
    section = ""
    for line in shell.joined(unit, COMMENT):
        text = line.text.strip()
        if text.startswith("["):
            section = text
        elif section == "[Service]":
            key, _, value = text.partition("=")
            yield key.strip(), value.strip(), f"{line.path}:{line.number}"


def _read(value: str, texts: Texts) -> dict[str, Place]:
    """Return what the files of an EnvironmentFile= set: it may have wildcards, and specifiers such as %E."""
    pattern = re.sub("%[A-Za-z]", "*", value.removeprefix("-")).replace("%%", "%")
    places: dict[str, Place] = {}
    for path in sorted(it for it in texts if fnmatchcase(it, pattern)):
        for line in shell.joined(texts[path], COMMENT):
            name, given, rest = line.text.partition("=")
            word = f"{name.strip()}={' '.join(_words(rest))}" if given else ""
            places |= _assignments([word], f"{path}:{line.number}")
    return places


def _assignments(words: list[str], where: str) -> dict[str, Place]:
    pairs = (word.partition("=") for word in words)
    return {name: Place(value, where) for name, given, value in pairs if given and name.isidentifier()}


def _words(text: str) -> list[str]:
    """Split words as systemd does: quotes may be around a part of one."""
    try:
        return shlex.split(text)
    except ValueError:  # a quote without an end, which systemd does not take
        return text.split()

"""Turn the scripts beside this file into commands, with arguments by name; calls.py calls each of them.

A script says at its head what it needs and takes:

    # needs: engine store        libraries, which say the same of themselves
    # takes: url model           arguments, which it finds as $url and $model; or nothing
    # lists: MODEL...            what it finds as "$@", if anything

What is sent is one text: the unit of the Ollama in question, paths.sh, the libraries, each after those that it
needs, and the script with its arguments; or several of them, each in a shell of its own, until one fails. It
passes the login shell, which need not be sh: see ``command``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shlex import quote
from string import Template

from pyinfra.api import QuoteString, StringCommand

from ollama_slots.core import units

HERE = Path(__file__).parent
PATHS, SINCE = "paths", "since"
# Before what a script prints for us: whatever else comes over the connection, such as what a .bashrc says,
# has none. It comes as one line, with a character for each newline in it: pyinfra takes as long for a line as for
# many kilobytes.
MARK, NEWLINE = "slots|", "\037"
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
    + read: what it prints is for us, as one line with the mark before it. Such a script ends with 0; that it
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

"""Find which variables a shell text sets, as far as that is known without running it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping

from ollama_slots.core.observed import Line

# After these a command begins: operators, and words of the shell's own. And what may stand before its name.
OPERATORS = {";", ";;", "&", "&&", "|", "||", "(", "{", "!"}
WORDS = {"if", "then", "elif", "else", "while", "until", "do", "time"}
GO_ON = {"export", "declare", "typeset", "readonly", "local", "exec", "command", "nohup", "setsid"}
REMOVE, EMPTIED = {"-u", "--unset"}, {"-", "-i", "--ignore-environment"}  # env's
Set = tuple[str, str | None, str]  # a variable, its value or None where it is taken away, and FILE:LINE


def known(value: str) -> bool:
    """Return whether a value is what it says, and not what only a run would tell."""
    return not re.search(r"[$`]", value)


def joined(lines: Iterable[Line], comment: str) -> Iterator[Line]:
    """Yield lines without comments, those that end in a backslash with the next one; some may be missing.

    + comment: a pattern of its beginning
    """
    begun: Line | None = None
    last = 0
    for line in lines:
        if begun and (begun.path, last + 1) != (line.path, line.number):
            yield begun
            begun = None
        last = line.number
        if re.match(comment, line.text):
            continue
        text = f"{begun.text} {line.text}" if begun else line.text
        begun = (begun or line)._replace(text=text.removesuffix("\\"))
        if not text.endswith("\\"):
            yield begun
            begun = None
    if begun:
        yield begun


def assigned(
    text: str, where: str, texts: Mapping[str, list[Line]], names: list[str], earlier: str = ""
) -> Iterator[Set]:
    """Yield what a command line, with the scripts that it runs or sources, does to these variables, in order.

    + where: the place of the text
    + texts: scripts by path, or of each the lines that matter
    + earlier: what comes before it. What is set after a test of the same variable is taken for a default, which
      leaves a value that is there
    """
    begins, program, before = True, "", ""
    for word in _words(text):
        name, given, value = word.partition("=")
        removes = program == "unset" or (program == "env" and before in REMOVE)
        if word in OPERATORS | WORDS:
            begins, program = True, ""
        elif re.fullmatch("-[a-z]*c", before):
            yield from assigned(word, where, texts, names)
        elif word.rpartition("/")[2] in {"env", "unset"}:
            begins, program = True, word.rpartition("/")[2]
        elif program == "env" and word in EMPTIED:
            yield from ((it, None, where) for it in names)
        elif removes and word in names:
            yield word, None, where
        elif begins and given and name in names:
            new = _new(name, value)
            if new is not None and not _tested(name, earlier):
                yield name, new, where
        elif word in texts and not re.fullmatch("[<>&]+", before):
            begins = False
            yield from _script(word, texts, names)
        else:
            begins = begins and bool(given or removes or word in GO_ON or word.startswith("-"))
        before, earlier = word, f"{earlier} {word}"


def _script(path: str, texts: Mapping[str, list[Line]], names: list[str]) -> Iterator[Set]:
    """Yield what a script, with those that it names, but not itself again, does to these variables."""
    others = {it: lines for it, lines in texts.items() if it != path}
    last = Line(path, 0, "")
    for line in joined(texts[path], r"\s*#"):
        near = last.text if line.number <= last.number + 2 else ""
        yield from assigned(line.text, f"{path}:{line.number}", others, names, near)
        last = line


def _words(text: str) -> list[str]:
    """Split into words and operators, without quotes and comments."""
    reader = shlex.shlex(text.replace("\n", "\n;"), posix=True, punctuation_chars=";&|()<>")
    reader.whitespace_split = True
    try:
        return list(reader)
    except ValueError:  # a quote that goes on in the next line
        return text.split()


def _new(name: str, value: str) -> str | None:
    """Return what a variable is set to, or None where it stays what it is, as with ${NAME:-24h}."""
    own = re.fullmatch(rf"\$({name}|\{{{name}(:?[-=?+])?(.*)\}})", value)
    if own is None:
        return value
    return own[3] if own[2] in {"+", ":+"} else None


def _tested(name: str, earlier: str) -> bool:
    return re.search(rf"(\[|\btest) .*\${{?{name}\b", earlier) is not None

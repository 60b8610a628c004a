"""Read a Modelfile as Ollama does, and check that it makes the slot that it is for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ollama_slots.core import names
from ollama_slots.core.errors import shown

_COMMAND = re.compile(r"[ \t]*([A-Za-z]+)[ \t]+(.*)")
_PARAMETER = re.compile(r"([A-Za-z0-9_]+)[ \t]+(.*)", re.DOTALL)
_ROLE = re.compile(r"^[A-Za-z]+[ \t]+")


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a Modelfile, in lower case, with its value; of a parameter, its name with its value.

    A value goes to the end of its line, or in quotes, " or three of them, to a line that ends with them
    (parser/parser.go, v0.34.4). What Ollama does not take is left out, and so is the role of a message.
    """
    lines = iter(re.split(r"[\r\n]", text))
    for line in lines:
        found = _COMMAND.fullmatch(line)
        if found is None:
            continue
        name, value = found[1].lower(), found[2]
        if name == "parameter" and (parameter := _PARAMETER.fullmatch(value)):
            name, value = parameter.groups()
        elif name == "message":
            value = _ROLE.sub("", value)
        quotes = next((it for it in ('"""', '"') if value.lstrip().startswith(it)), "")
        while len(value.strip()) < 2 * len(quotes) or not value.rstrip().endswith(quotes):
            more = next(lines, None)
            if more is None:
                break
            value += f"\n{more}"
        yield name, value.strip().removeprefix(quotes).removesuffix(quotes)


def check(text: str, model: str | None, num_ctx: int) -> None:
    """Check what a template of the user's own has made.

    + model: the slot's; None where it is not known here
    + num_ctx: the slot's window, in tokens

    Raises ValueError with one line: a variant of another model, or with another window, would be refused late.
    """
    found = list(commands(text))
    froms = [value for name, value in found if name == "from"]
    if len(froms) != 1:
        raise ValueError(f"expected one FROM, {{{{ model }}}}, found {' and '.join(map(shown, froms)) or 'none'}")
    if model is not None and not _same(froms[0], model):
        raise ValueError(f"expected FROM {{{{ model }}}}, which is {model} here, found FROM {shown(froms[0])}")
    windows = [value for name, value in found if name == "num_ctx"]
    if not windows or any(it != str(num_ctx) for it in windows):
        raise ValueError(
            f"expected PARAMETER num_ctx {{{{ num_ctx }}}}, which is {num_ctx} here, "
            f"found {' and '.join(map(shown, windows)) or 'none'}"
        )
    for name, value in found:
        if name == "adapter" and not value.startswith("/"):
            raise ValueError(f"expected ADAPTER with the path of a file on the host from /, found {shown(value)}")


def _same(text: str, model: str) -> bool:
    try:
        return names.same(text, model)
    except ValueError:  # a file
        return False

"""Find out which hosts fail for the same cause: their messages are the same but for figures, digests and times."""

from __future__ import annotations

import re
from collections.abc import Iterable

SLOT = re.compile(r"slot ([A-Za-z0-9_][A-Za-z0-9_.-]*): (.*)", re.DOTALL)
_NUMBER = r"\d+(?:\.\d+)?"
# What differs between hosts of the same cause. Never a number that stands for itself: it may be a status of HTTP,
# an exit code, or part of a model's name.
VARIES = {
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?": "TIME",
    # A number with its unit, also the first ones of "3 of its 5 bytes" and "20.1 + 7.5 GB".
    rf"(?<![\w.:/@=-]){_NUMBER}(?=(?: (?:of|of its|\+) {_NUMBER})* (?:bytes|[KMGT]i?B|tokens|s|ms|GPUs?)\b)": "N",
    r"(?<=tokens, not )\d+(?: or \d+)*": "N",
    r"(?<=_num_ctx=)\d+": "N",
    r"(?<=[ (])\d+\.\d+(?=[ ,;)]|$)": "N",
    r"(?<=found )\d+\.\d+\.\d+[\w.+-]*(?=,)": "VERSION",
    r"(?<=pid )\d+": "N",
    r"\bsha256[-:][0-9a-f]{12,64}\b": "DIGEST",
    r"(?<![\w:/.@-])(?:[0-9a-f]{64}|[0-9a-f]{12})(?![\w@/-]|[:.]\w)": "DIGEST",
    r"[\d.]+:\d+(?=->)": "ADDRESS",  # the host's own, and a port of the moment
}
# In this order: a number of twelve digits may be one of bytes, or a digest.
_VARIES = [(re.compile(pattern), f"<{word}>") for pattern, word in VARIES.items()]


def same_but_for_figures(message: str) -> str:
    """Return what is left of a message where everything that differs from host to host is taken out."""
    for pattern, word in _VARIES:
        message = pattern.sub(word, message)
    return message


def cause(why: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Return what hosts that fail for the same cause have in common.

    + why: a host's messages; where they name a slot, another slot is another cause
    """
    return frozenset((slot, same_but_for_figures(text)) for slot, text in map(_parts, why))


def told(why: Iterable[str]) -> str:
    """Return a host's messages as one line: slots of which the same is said are named together."""
    slots: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for slot, text in map(_parts, why):
        key = same_but_for_figures(text) if slot else text
        first.setdefault(key, text)
        slots.setdefault(key, []).extend([slot] if slot and slot not in slots.get(key, []) else [])
    return "; ".join(
        f"slot{'s' if it[1:] else ''} {', '.join(it)}: {first[key]}" if it else first[key]
        for key, it in slots.items()
    )


def _parts(message: str) -> tuple[str, str]:
    """Return the slot that a message is of, if it is of one, and what it says."""
    match = SLOT.fullmatch(message)
    return (match[1], match[2]) if match else ("", message)

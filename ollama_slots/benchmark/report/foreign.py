"""Text that somebody else wrote, a model above all, as it may stand on a page."""

from __future__ import annotations

import re

# What a terminal or a browser obeys instead of showing it: controls, invisible letters, those that turn the
# direction of a text, halves of letters. By their numbers, so that each version of Python shows the same.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
STACKED = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{3})[\u0300-\u20ff]*")
PUNCTUATION = re.compile(r"([\\`*\[\]<>&|~#!$@]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z]))")
LINK = re.compile(r"(?i)(:(?=//)|(?<=\bwww)\.)")


def plain(text: str) -> str:
    """Return a text in which all that would be obeyed is spelled out."""
    spaced = _lines(text).replace("\t", "    ")
    return OBEYED.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", STACKED.sub(r"\1", spaced))


def short(text: str, characters: int, lines: int) -> str:
    """Return the beginning of a text, plain, and how much of it is left out."""
    whole = _lines(text).strip("\n")
    kept = "\n".join(whole[:characters].split("\n")[:lines])
    left = len(whole) - len(kept)
    return plain(kept) + (f"\n… {left:,} more characters" if left > 0 else "")


def line(text: object) -> str:
    """Return a text on one line, in which nothing means anything to Markdown."""
    escaped = PUNCTUATION.sub(r"\\\1", re.sub(r"\s+", " ", plain(f"{text}")))
    return LINK.sub(r"\\\1", escaped)


def fenced(text: str) -> str:
    """Return a text as a block of Markdown that it cannot end."""
    longest = max((len(it) for it in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")

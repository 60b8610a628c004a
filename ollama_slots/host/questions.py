"""Parse what questions.sh prints."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import NamedTuple

RESIDENT, END = "resident", "== end"
BROKE = "the connection broke, or the command was killed"
FIGURES = re.compile(r"(.*)\n(\d+[.,]\d+) (\d+[.,]\d+) (\d{3}) (\d+)\n", re.DOTALL | re.ASCII)


class Reply(NamedTuple):
    """What came of a question.

    + text: of the answer; where curl failed, what it says of it is in there, too
    + first, total: seconds to the first byte and to the last
    + status: of HTTP; 0: there was no answer
    + failed: curl's exit code, 0 if it did not fail
    """

    text: str
    first: float
    total: float
    status: int
    failed: int


def parse_questions(output: list[str]) -> tuple[list[Reply], str]:
    """Return the replies in the order of the questions, and why there are not more; nothing, if all were asked.

    Replies are those that came whole, and during which the slot was resident all the time.
    """
    replies: list[Reply] = []
    for line in output:
        text, _, found = line.partition(" ")
        reply = _reply(text)
        if reply is None or found != RESIDENT:
            break
        replies.append(reply)
    ended = output[-1] if output and output[-1].startswith("== ") else BROKE
    if ended == END:
        return replies, "" if len(replies) == len(output) - 1 else BROKE
    return replies, ended.removeprefix("== ")


def _reply(text: str) -> Reply | None:
    try:
        decoded = b64decode(text, validate=True).decode(errors="replace")
    except ValueError:  # binascii.Error is one
        return None
    figures = FIGURES.fullmatch(decoded)
    if figures is None:
        return None
    answer, first, total, status, failed = figures.groups()
    begins, ends = (float(it.replace(",", ".")) for it in (first, total))
    return Reply(answer, begins, ends, int(status), int(failed))

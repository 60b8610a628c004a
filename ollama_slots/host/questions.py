"""Parse what questions.sh and trial.sh print."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import NamedTuple

RESIDENT = re.compile(r"(\d+(?:[.,]\d+)?) (\d+) resident", re.ASCII)
END = "== end"
LATER, USERS, CLOSED = "later", "users", "closed"  # see asking.sh
BROKE = "the connection broke, or the command was killed"
FIGURES = re.compile(r"(.*)\n(\d+[.,]\d+) (\d+[.,]\d+) (\d{3}) (\d+)(?: (\d*) (\d*))?\n", re.DOTALL | re.ASCII)


class Reply(NamedTuple):
    """What came of a question.

    + text: of the answer; where curl failed, what it says of it is in there, too
    + first, total: seconds to the first byte and to the last
    + status: of HTTP; 0: there was no answer
    + failed: curl's exit code, 0 if it did not fail
    + busy: of a timed one, how busy the host was before it or after it, in percent; None: it is not known
    + loaded: seconds that the model took to load before it; 0: it was there
    + anew: whether it was loaded just before it
    + gpu_bytes: of GPU memory that the model holds
    """

    text: str
    first: float
    total: float
    status: int
    failed: int
    busy: int | None = None
    loaded: float = 0
    gpu_bytes: int = 0
    anew: bool = False


def parse_questions(output: list[str]) -> tuple[list[Reply], str]:
    """Return the replies in the order of the questions, and why there are not more; nothing, if all were asked.

    Replies are those that came whole, and during which the slot was resident all the time.
    """
    replies: list[Reply] = []
    for line in output:
        reply = _reply(line)
        if reply is None:
            break
        replies.append(reply)
    ended = output[-1] if output and output[-1].startswith("== ") else BROKE
    if ended == END:
        return replies, "" if len(replies) == len(output) - 1 else BROKE
    return replies, ended.removeprefix("== ")


def _reply(line: str) -> Reply | None:
    text, _, words = line.partition(" ")
    model = re.fullmatch(RESIDENT, words)
    try:
        decoded = b64decode(text, validate=True).decode(errors="replace")
    except ValueError:  # binascii.Error is one
        return None
    figures = FIGURES.fullmatch(decoded)
    if figures is None or model is None:
        return None
    answer, first, total, status, failed, *busy = figures.groups()
    begins, ends, loaded = (float(it.replace(",", ".")) for it in (first, total, model[1]))
    most = max(map(int, busy)) if all(busy) else None
    return Reply(answer, begins, ends, int(status), int(failed), most, loaded, int(model[2]), loaded > 0)

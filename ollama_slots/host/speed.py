"""Read what host/speed.sh prints."""

from __future__ import annotations

import re


def parse_speeds(output: list[str]) -> dict[str, float | str | None]:
    """Parse the output of host/speed.sh: tokens per second by slot, or why it did not answer.

    None: it answers with embeddings, which have no speed. Raises ValueError where it is not the whole of it.
    """
    if output[-1:] != ["== end"]:
        raise ValueError("the speeds could not be read to their end")
    speeds: dict[str, float | str | None] = {}
    for name, _, said in (line.partition(" ") for line in output[:-1]):
        figures = re.fullmatch(r"([1-9]\d*) ([1-9]\d*)", said)
        none = "it made no token" if re.fullmatch(r"\d+ \d*", said) else said
        speeds[name] = int(figures[1]) * 10**9 / int(figures[2]) if figures else None if said == "embeds" else none
    return speeds

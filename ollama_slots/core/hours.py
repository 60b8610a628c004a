"""Read the hours of a day in which something may be done, such as 02:00-05:00."""

from __future__ import annotations

import re
from typing import NamedTuple

from ollama_slots.core.errors import shown

CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])"


class Hours(NamedTuple):
    """From when until when, each as HHMM; the night lies between where the first is the later."""

    begin: str
    end: str


def parse(text: str) -> Hours:
    """Read the hours. Raises ValueError with one line where they are none, or of no length."""
    found = re.fullmatch(f"{CLOCK}-{CLOCK}", text, re.ASCII)
    if found is None or found.groups()[:2] == found.groups()[2:]:
        raise ValueError(f'expected from when until when, such as "02:00-05:00", found {shown(text)}')
    hours, minutes, until_hours, until_minutes = found.groups()
    return Hours(hours + minutes, until_hours + until_minutes)

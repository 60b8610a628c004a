"""Say how far a run is. Pure."""

from __future__ import annotations

MINUTE, HOUR = 60, 3600


def progress(called: str, done: int, items: int, asked: int, seconds: float) -> str:
    """Return how many items are answered and, by the pace of this run, how long the others take.

    + called: the slot, as messages call it
    + done: of the items, those of earlier runs, too
    + asked, seconds: of this run
    """
    line = f"{called}: {done} of {items} items"
    if done >= items or not asked:
        return line
    return f"{line}, about {lasting(seconds / asked * (items - done))} left"


def lasting(seconds: float) -> str:
    """Return a time as a person says it."""
    whole = max(1, round(seconds))
    if whole < 2 * MINUTE:
        return f"{whole} s"
    minutes = round(whole / MINUTE)
    return f"{minutes} min" if minutes < 2 * HOUR // MINUTE else f"{minutes // 60} h {minutes % 60} min"

"""Find keys of a host's data that are nearly one of ours, and would be ignored."""

from __future__ import annotations

import re
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache

NEAR = 0.9  # of 1, which is equal: one letter in ten
SWAPPED = 0.8  # the same where the letters are the same ones in another order


@lru_cache(1000)  # a fleet's hosts have the same few keys
def meant(key: str, settings: tuple[str, ...], slot_keys: tuple[str, ...]) -> str | None:
    """Return the key of ours that a key which is none is nearly, or None.

    + settings: the keys that are ours
    + slot_keys: those of a slot, as in ``slotN_model``

    Case and dashes do not count. A key of pyinfra's own, such as ``_sudo``, is nobody's mistake.
    """
    if key.startswith("_"):
        return None
    written, number = key.lower().replace("-", "_"), re.search("[0-9]+", key)
    known = [*settings, *(it.replace("N", number[0]) for it in slot_keys if number)]
    if near := get_close_matches(written, known, n=1, cutoff=NEAR):
        return near[0]
    swapped = [it for it in known if sorted(it) == sorted(written)]
    return next((it for it in swapped if SequenceMatcher(None, it, written).ratio() >= SWAPPED), None)

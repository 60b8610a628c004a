"""Evidence that one model is better than another: it accumulates over runs, and may be looked at at any time.

It is the wealth of somebody who bets, item by item, that a challenger is better than an incumbent, at odds that
are fair if it is not. Then the wealth is expected not to grow, however long and often anybody looks: the chance
that it ever reaches 20 is at most 1 in 20 (Ville's inequality). As long as a run has the items of its families in
fixed shares, that holds for the mean of families of unlike difficulty too: a product is largest where all its
factors are equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from math import exp, fsum, log1p
from typing import Annotated, NamedTuple

from pydantic import Field

from ollama_slots.benchmark.choice.composite import QUALITY
from ollama_slots.benchmark.choice.measured import Fixed, Measured

BETS = (
    0.05,
    0.1,
    0.2,
    0.4,
    0.8,
)  # parts of the wealth that are at stake with each item; none of them is right for all
BEYOND_DOUBT = 20.0
# Their items come from a pool that is finite and the same with all seeds. The others are made up by the seed.
POOLS = ("write", "repair", "choice")
MARK = 6  # hexadecimal digits of an item: two of two thousand have the same by a chance of 1 in 8
LEAST = 0.01  # odds never get better than that: then a model that fails all would be ahead
MOST = 700.0  # e^709 is the largest number there is


class Tally(NamedTuple):
    """In how many items only the challenger passed, only the incumbent, and both or neither."""

    won: int
    lost: int
    even: int


class Counted(Fixed):
    """The items that have been counted for a pair of models: none counts twice.

    + upto: how many of a seed's, by "seed/family"; they are asked in their order
    + pool: the first digits of the digests of those that come from pools, one after the other
    """

    upto: dict[str, int] = Field(default_factory=dict)
    pool: str = ""


class Wealth(Fixed):
    """What each bet has become, as natural logarithms, and which items it was put on.

    + since: when the first was, as the run's timestamp says it
    """

    since: str
    logs: Annotated[tuple[float, ...], Field(min_length=len(BETS), max_length=len(BETS))] = (0.0,) * len(BETS)
    counted: Counted = Counted()

    @property
    def evidence(self) -> float:
        """The mean of what the bets have become; 1 is none, either way."""
        return fsum(exp(min(it, MOST)) for it in self.logs) / len(self.logs)


def bet(logs: Iterable[float], tally: Tally, ahead: float = 0.0) -> tuple[float, ...]:
    """Return what bets have become after more items.

    + ahead: by how much speed puts the challenger's composite ahead, whatever the answers; negative: behind. The
      odds are fair if it is worse in the answers by just as much.
    """
    fair = max(LEAST, (1 - ahead / QUALITY) / 2)
    outcomes = [(count, (score - fair) / fair) for count, score in zip(tally, (1.0, 0.0, 0.5), strict=True)]
    return tuple(
        round(was + fsum(count * log1p(part * gain) for count, gain in outcomes), 9)
        for was, part in zip(logs, BETS, strict=True)
    )


def tally(challenger: Mapping[str, bool], incumbent: Mapping[str, bool], items: Iterable[str]) -> Tally:
    """Compare answers to the same items."""
    pairs = [(challenger[it], incumbent[it]) for it in items]
    won, lost = pairs.count((True, False)), pairs.count((False, True))
    return Tally(won, lost, len(pairs) - won - lost)


def after(
    wealth: Wealth, challenger: Measured, incumbent: Measured, families: Collection[str], seed: int, ahead: float
) -> Wealth:
    """Return the wealth after a run: what both answered, and what was not counted before, is bet on."""
    ours, theirs = challenger.of(families), incumbent.of(families)
    new, counted = _new(wealth.counted, sorted(ours.keys() & theirs.keys()), seed)
    if not new:
        return wealth
    logs = bet(wealth.logs, tally(ours, theirs, new), ahead)
    return wealth.model_copy(update={"logs": logs, "counted": counted})


def _new(counted: Counted, items: Iterable[str], seed: int) -> tuple[list[str], Counted]:
    """Return those of the items that have not been counted, and what has been with them."""
    pool = {counted.pool[at : at + MARK] for at in range(0, len(counted.pool), MARK)}
    new, upto, pooled = [], dict(counted.upto), set(pool)
    for it in items:
        family, _, which = it.partition("/")
        if family in POOLS:
            mark = sha256(it.encode()).hexdigest()[:MARK]
            if mark in pool:
                continue
            pooled.add(mark)
        else:
            key = f"{seed}/{family}"
            if int(which) < counted.upto.get(key, 0):
                continue
            upto[key] = max(upto.get(key, 0), int(which) + 1)
        new.append(it)
    return new, Counted(upto=dict(sorted(upto.items())), pool="".join(sorted(pooled)))

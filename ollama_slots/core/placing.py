"""Place models on the GPUs of a host by the engine's own rule, and tell whether they stay in memory together.

The rule is that of server/sched.go, v0.34.4. It guesses what a model takes. The model goes to the card with most
free memory of those in which four fifths of what is free would do, else to all cards of one library, to each a
share by what it has free. Beside others it is loaded only where four fifths of what is free there would do; else
the engine ends others. A model whose owner wants it on one card, by ``main_gpu``, goes there and nowhere else.
Before 0.30 it does not guess, but tries what fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

USABLE = 0.8


@dataclass(frozen=True)
class Card:
    """A GPU and the bytes of its memory that are free."""

    free: int
    library: str = ""
    integrated: bool = False


@dataclass(frozen=True)
class Rule:
    """How the engine at hand places a model.

    + guesses: it goes by its guess, of which it wants a fifth more
    + spreads: OLLAMA_SCHED_SPREAD: over all cards, always
    """

    guesses: bool = True
    spreads: bool = False


@dataclass(frozen=True)
class Taken:
    """The bytes that a model takes: by the engine's guess, in all, and of those what it takes on each card anew.

    That is what it computes in, and what the driver takes for it.

    + main: the number of the card that its owner wants it on, among those of one library
    + file: its weights on the disk: those that take most there are loaded first (by_size in host/residency.sh)
    + left: what has to be left free on each of its cards, or a part of it is computed by the CPU
    """

    predicted: int
    held: int
    computed: int = 0
    main: int | None = None
    left: int = 0
    file: int = 0


def in_order(models: Iterable[Taken]) -> list[Taken]:
    """Return models in the order in which a warm-up loads them."""
    return sorted(models, key=lambda it: (it.file, it.held), reverse=True)


def place(cards: Sequence[Card], model: Taken, rule: Rule, alone: bool) -> list[Card] | None:
    """Return the cards as they are with a model on them; None where it would not be wholly there, or end others.

    + alone: nothing else is loaded: the engine loads it, whatever it guesses
    """
    if not cards:
        return None
    guess, usable = (model.predicted, USABLE) if rule.guesses else (model.held, 1.0)
    one = [number for number, card in enumerate(cards) if guess <= usable * card.free]
    if len(cards) > 1 and rule.guesses and model.main is not None:
        of = [group[model.main] for group in _groups(cards) if 0 <= model.main < len(group)]
        chosen = [_best(cards, of)] if of else _group(cards)
    elif len(cards) == 1 or (one and not rule.spreads):
        chosen = [_best(cards, one or [0])]
    else:
        chosen = _group(cards)
    if not alone and guess > usable * sum(cards[number].free for number in chosen):
        return None
    return _with(list(cards), chosen, model)


def fit(models: Iterable[Taken], cards: Sequence[Card], rule: Rule) -> bool:
    """Return whether models stay in memory together, loaded in this order.

    + cards: as they are when nothing is loaded
    """
    for number, model in enumerate(models):
        placed = place(cards, model, rule, alone=number == 0)
        if placed is None:
            return False
        cards = placed
    return True


def loaded(cards: Sequence[Card], held: Iterable[int]) -> list[Card]:
    """Return the cards as they are, about, with models on them of which only the bytes are known."""
    left = list(cards)
    for size in sorted(held, reverse=True):
        model = Taken(size, size)
        left = place(left, model, Rule(guesses=False), alone=True) or [replace(it, free=0) for it in left]
    return left


def _best(cards: Sequence[Card], of: Iterable[int]) -> int:
    """Return that one of these cards that comes first: with memory of its own, and the most free."""
    return max(of, key=lambda number: (not cards[number].integrated, cards[number].free))


def _groups(cards: Sequence[Card]) -> list[list[int]]:
    """Return the numbers of the cards of each library."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, card in enumerate(cards):
        groups[card.library].append(number)
    return [*groups.values()]


def _group(cards: Sequence[Card]) -> list[int]:
    """Return the numbers of the cards of one library: with memory of their own, and the most free, first."""
    return max(
        _groups(cards),
        key=lambda group: (not all(cards[it].integrated for it in group), sum(cards[it].free for it in group)),
    )


def _with(cards: list[Card], chosen: list[int], model: Taken) -> list[Card] | None:
    free = sum(cards[number].free for number in chosen)
    shared = model.held - model.computed
    for number in chosen:
        card = cards[number]
        share = shared * card.free // free if free else shared
        cards[number] = replace(card, free=card.free - share - model.computed)
    enough = all(cards[number].free >= model.left for number in chosen)
    return cards if enough and all(card.free >= 0 for card in cards) else None

"""Trivial functions, with numbers and words in them that a seed draws: the least that a model has to know."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from ollama_slots.benchmark.items.item import stream
from ollama_slots.benchmark.items.task import Task
from ollama_slots.benchmark.items.words import NOUNS

CASES = 6


class _Kind(NamedTuple):
    """A kind of function. K in its texts is a number, W a word.

    + does: what it returns, given the number, the word and an argument.
    """

    name: str
    argument: str
    doc: str
    line: str
    does: Callable[[int, str, Any], Any]


# An argument is a number n, a word s, a text of three words, a list of numbers or a list of words.
KINDS = [
    _Kind("add_K", "n", "n plus K", "n + K", lambda k, _, n: n + k),
    _Kind("K_times", "n", "n times K", "n * K", lambda k, _, n: n * k),
    _Kind("minus_K", "n", "n minus K", "n - K", lambda k, _, n: n - k),
    _Kind("square_plus_K", "n", "the square of n, plus K", "n * n + K", lambda k, _, n: n * n + k),
    _Kind("is_over_K", "n", "True if n is greater than K, else False", "n > K", lambda k, _, n: n > k),
    _Kind("is_multiple_of_K", "n", "whether n is divisible by K", "n % K == 0", lambda k, _, n: n % k == 0),
    _Kind("at_most_K", "n", "n, or K if n is greater than K", "min(n, K)", lambda k, _, n: min(n, k)),
    _Kind("at_least_K", "n", "n, or K if n is less than K", "max(n, K)", lambda k, _, n: max(n, k)),
    _Kind("distance_to_K", "n", "how far n is from K, never negative", "abs(n - K)", lambda k, _, n: abs(n - k)),
    _Kind("with_W", "s", "s with ' W' behind it", "s + ' W'", lambda _, w, s: f"{s} {w}"),
    _Kind("before_W", "s", "s with 'W ' before it", "'W ' + s", lambda _, w, s: f"{w} {s}"),
    _Kind("is_W", "s", "True if s is 'W', else False", "s == 'W'", lambda _, w, s: s == w),
    _Kind("K_letters", "text", "the first K characters of text", "text[:K]", lambda k, _, s: s[:k]),
    _Kind("from_letter_K", "text", "text without its first K characters", "text[K:]", lambda k, _, s: s[k:]),
    _Kind("K_copies", "s", "s repeated K times", "s * K", lambda k, _, s: s * k),
    _Kind(
        "upper_with_K",
        "s",
        "s in capital letters, and K behind it",
        "s.upper() + 'K'",
        lambda k, _, s: s.upper() + str(k),
    ),
    _Kind("backwards", "s", "s backwards", "s[::-1]", lambda _k, _w, s: s[::-1]),
    _Kind("sum_plus_K", "numbers", "the sum of numbers, plus K", "sum(numbers) + K", lambda k, _, n: sum(n) + k),
    _Kind(
        "count_over_K",
        "numbers",
        "how many of numbers are greater than K",
        "sum(it > K for it in numbers)",
        lambda k, _, n: sum(it > k for it in n),
    ),
    _Kind(
        "each_times_K",
        "numbers",
        "a list of numbers, each times K",
        "[it * K for it in numbers]",
        lambda k, _, n: [it * k for it in n],
    ),
    _Kind(
        "sorted_without_K",
        "numbers",
        "numbers in ascending order, without any K among them",
        "sorted(it for it in numbers if it != K)",
        lambda k, _, n: sorted(it for it in n if it != k),
    ),
    _Kind("count_W", "words", "how often 'W' is in words", "words.count('W')", lambda _, w, it: it.count(w)),
    _Kind(
        "join_by_K",
        "words",
        "words as one string, K between them",
        "'K'.join(words)",
        lambda k, _, it: str(k).join(it),
    ),
    _Kind("has_W", "words", "True if 'W' is in words, else False", "'W' in words", lambda _, w, it: w in it),
]


def tasks(seed: int, count: int) -> list[Task]:
    """Return functions with their tests; a kind comes again when all have come."""
    order = stream(seed, "trivial").sample(KINDS, len(KINDS))
    return [_task(str(n), order[n % len(order)], stream(seed, "trivial", n)) for n in range(count)]


def _task(name: str, kind: _Kind, random: Random) -> Task:
    number, word = random.randint(2, 9), random.choice(NOUNS)

    def drawn(text: str) -> str:
        return text.replace("K", str(number)).replace("W", word)

    function = drawn(kind.name)
    function = function if function[0].isalpha() else f"n_{function}"
    cases = [_argument(random, kind.argument, number, word, n) for n in range(CASES)]
    tests = [f"assert candidate({it!r}) == {kind.does(number, word, it)!r}" for it in cases]
    prompt = f'def {function}({kind.argument}):\n    """Return {drawn(kind.doc)}."""\n'
    return Task(name, prompt, function, f"    return {drawn(kind.line)}\n", "\n".join(tests) + "\n")


def _argument(random: Random, kind: str, number: int, word: str, case: int) -> Any:
    """Return an argument; every other one has the function's number or word in it, or is near."""
    others = [it for it in NOUNS if it != word]
    near = case % 2 == 0
    if kind == "n":
        return number + case // 2 - 1 if near else random.randint(-99, 99)
    if kind == "s":
        return word if near else random.choice(others)
    if kind == "text":
        return "-".join(random.sample(others, 3))
    if kind == "numbers":
        drawn = [random.choice([random.randint(-20, 20), random.randint(1, 12)]) for _ in range(5)]
        return random.sample([*drawn, number, number + 1], 7) if near else drawn
    words = random.sample(others, 4)
    return random.sample([*words, word, word], random.randint(5, 6)) if near else words

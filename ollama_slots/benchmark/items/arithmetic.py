"""Sums, from two digits to what takes several steps, and problems in words."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ollama_slots.benchmark.items import extract
from ollama_slots.benchmark.items.checks import Number
from ollama_slots.benchmark.items.item import Answer, Item, stream
from ollama_slots.benchmark.items.words import COLOURS, NAMES, THINGS

LAST = extract.ASKED_FOR.format("number")
ALONE = "Answer with the number and nothing else."


def _digits(random: Random) -> tuple[str, int]:
    a, b = random.randint(1, 9), random.randint(1, 9)
    return f"{a} + {b}", a + b


def _two_digits(random: Random) -> tuple[str, int]:
    a, b = random.randint(12, 99), random.randint(12, 99)
    return random.choice([(f"{a} + {b}", a + b), (f"{a} - {b}", a - b)])


def _product(random: Random) -> tuple[str, int]:
    a, b = random.randint(12, 99), random.randint(12, 99)
    return f"{a} * {b}", a * b


def _brackets(random: Random) -> tuple[str, int]:
    a, b, c, d = (random.randint(3, 40) for _ in range(4))
    return f"({a} + {b}) * {c} - {d} * {b}", (a + b) * c - d * b


def _remainder(random: Random) -> tuple[str, int]:
    a, b, c = random.randint(200, 999), random.randint(7, 29), random.randint(3, 19)
    return f"the remainder when {a} * {c} is divided by {b}", a * c % b


def _long(random: Random) -> tuple[str, int]:
    numbers = [random.randint(100, 9999) for _ in range(5)]
    return " + ".join(map(str, numbers)), sum(numbers)


SUMS: list[Callable[[Random], tuple[str, int]]] = [_digits, _two_digits, _product, _brackets, _remainder, _long]


def _shop(random: Random) -> tuple[str, int]:
    one, other = random.sample(THINGS, 2)
    name, a, b, m, n = random.choice(NAMES), *(random.randint(2, 9) for _ in range(4))
    paid = 150 + 50 * random.randint(1, 3)
    bought = f"{name} buys {m} {one} at {a} euros each and {n} {other} at {b} euros each"
    return f"{bought}, and pays with {paid} euros. How many euros does {name} get back?", paid - m * a - n * b


def _ages(random: Random) -> tuple[str, int]:
    one, other, third = random.sample(NAMES, 3)
    age, more, years = random.randint(5, 15), random.randint(2, 9), random.randint(3, 12)
    text = (
        f"{one} is {age} years old. {other} is {more} years older than {one}. {third} is twice as old as {other}."
    )
    return f"{text} How old will {third} be in {years} years?", 2 * (age + more) + years


def _journey(random: Random) -> tuple[str, int]:
    start, hours, minutes = random.randint(6, 11), random.randint(2, 5), random.choice([10, 20, 35, 45, 50])
    rest = random.choice([15, 25, 40])
    text = (
        f"A train leaves at {start}:00, travels {hours} hours and {minutes} minutes, then stands {rest} minutes."
    )
    total = start * 60 + hours * 60 + minutes + rest
    return f"{text} How many minutes after midnight does it leave again?", total


def _shares(random: Random) -> tuple[str, int]:
    people, each, left, held = (random.randint(*it) for it in ((4, 9), (4, 15), (1, 3), (20, 60)))
    colour, things = random.choice(COLOURS), random.choice(THINGS)
    text = (
        f"{people} people share {people * each + left} {colour} {things} equally. A box has {held} {things} in it."
    )
    return f"{text} What is left over is put into the box. How many {things} are in it now?", held + left


def _work(random: Random) -> tuple[str, int]:
    rate, hours, days, broken = (random.randint(*it) for it in ((3, 12), (3, 8), (3, 6), (2, 5)))
    name, things = random.choice(NAMES), random.choice(THINGS)
    text = f"{name} makes {rate} {things} an hour and works {hours} hours a day. Each day {broken} of them break."
    return f"{text} How many whole ones are there after {days} days?", (rate * hours - broken) * days


def _percent(random: Random) -> tuple[str, int]:
    price, off = random.choice([40, 60, 80, 120, 200]), random.choice([10, 20, 25, 50])
    count, things = random.randint(2, 6), random.choice(THINGS)
    text = f"A set of {things} costs {price} euros. In a sale its price falls by {off} percent."
    return f"{text} How many euros do {count} sets cost in the sale?", price * (100 - off) // 100 * count


def _boxes(random: Random) -> tuple[str, int]:
    rows, columns, layers, gone = (random.randint(3, 9) for _ in range(4))
    text = f"Boxes stand in {layers} layers, each of {rows} rows of {columns} boxes. {gone} boxes are taken away."
    return f"{text} It rains for 3 hours. How many boxes are left?", rows * columns * layers - gone


def _between(random: Random) -> tuple[str, int]:
    one, other, third = random.sample(NAMES, 3)
    a, b, c = random.randint(10, 40), random.randint(2, 9), random.randint(2, 5)
    text = (
        f"{one} has {a} coins. {other} has {b} fewer than {one}. {third} has {c} times as many as both together."
    )
    return f"{text} How many coins do the three have in all?", (2 * a - b) * (1 + c)


PROBLEMS = [_shop, _ages, _journey, _shares, _work, _percent, _boxes, _between]


def arithmetic(seed: int, count: int) -> list[Item]:
    """Return sums of each degree in turn; the first two are answered by the number alone."""
    items = []
    for n in range(count):
        degree = n % len(SUMS)
        text, value = SUMS[degree](stream(seed, "arithmetic", n))
        alone = degree < 2
        prompt = f"What is {text}? {ALONE if alone else LAST}"
        reference = Answer(str(value) if alone else f"{extract.LINE} {value}")
        items.append(Item(f"arithmetic/{n}", prompt, Number(value, alone), 32 if alone else 512, reference))
    return items


def problems(seed: int, count: int) -> list[Item]:
    """Return problems in words, of each kind in turn."""
    items = []
    for n in range(count):
        text, value = PROBLEMS[n % len(PROBLEMS)](stream(seed, "problems", n))
        reference = Answer(f"Step by step.\n{extract.LINE} {value}")
        items.append(Item(f"problems/{n}", f"{text} {LAST}", Number(value), 512, reference))
    return items

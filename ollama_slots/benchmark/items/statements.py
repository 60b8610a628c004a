"""Parts of Python programs: each is a text, and the same done to a program's variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from ollama_slots.benchmark.items.words import NOUNS

Variables = dict[str, Any]
NUMBERS = ("a", "b", "c")
MODULUS = 97  # what a product is smaller than, or a loop would make it long


class Value(NamedTuple):
    """An expression: its text, and what it is, given the variables."""

    text: str
    of: Callable[[Variables], Any]


class Statement(NamedTuple):
    """A statement: its lines, and what it does to the variables."""

    lines: list[str]
    run: Callable[[Variables], None]


def put(name: str, value: Value) -> Statement:
    """Return an assignment."""
    return Statement([f"{name} = {value.text}"], lambda it: it.update({name: value.of(it)}))


def constant(value: object) -> Value:
    """Return a number or a word as an expression; a list comes anew each time."""
    return Value(repr(value), lambda _: list(value) if isinstance(value, list) else value)


def begin(random: Random) -> list[Statement]:
    """Return the first values of all variables."""
    numbers = [put(name, constant(random.randint(2, 20))) for name in NUMBERS]
    held = [random.randint(0, 30) for _ in range(random.randint(4, 6))]
    return [*numbers, put("xs", constant(held)), put("s", constant(random.choice(NOUNS)))]


def of_numbers(random: Random) -> Statement:
    """Return a sum, or the like, of two numbers."""
    one, other, by = _number(random), _number(random), random.randint(2, 9)
    value = random.choice(
        [
            Value(f"{one.text} + {other.text}", lambda it: one.of(it) + other.of(it)),
            Value(f"{one.text} - {other.text}", lambda it: one.of(it) - other.of(it)),
            Value(f"{one.text} * {other.text} % {MODULUS}", lambda it: one.of(it) * other.of(it) % MODULUS),
            Value(f"{one.text} // {by}", lambda it: one.of(it) // by),
            Value(f"{one.text} % {by} + {other.text}", lambda it: one.of(it) % by + other.of(it)),
            Value(f"max({one.text}, {other.text})", lambda it: max(one.of(it), other.of(it))),
            Value(f"abs({one.text} - {other.text})", lambda it: abs(one.of(it) - other.of(it))),
        ]
    )
    return put(random.choice(NUMBERS), value)


def of_lists(random: Random) -> Statement:
    """Return what reads the list ``xs``, or makes another of it; it never gets empty."""
    one, name, by = _number(random), random.choice(NUMBERS), random.randint(2, 5)
    return random.choice(
        [
            Statement([f"xs.append({one.text})"], lambda it: it["xs"].append(one.of(it))),
            put("xs", Value("xs[::-1]", lambda it: it["xs"][::-1])),
            put("xs", Value("sorted(xs)", lambda it: sorted(it["xs"]))),
            put("xs", Value("xs[1:] + xs[:1]", lambda it: it["xs"][1:] + it["xs"][:1])),
            put("xs", Value(f"[x + {name} for x in xs]", lambda it: [x + it[name] for x in it["xs"]])),
            put(
                "xs",
                Value(
                    f"[x for x in xs if x % {by} != 0] + [{name}]",
                    lambda it: [x for x in it["xs"] if x % by != 0] + [it[name]],
                ),
            ),
            put(name, Value(f"sum(xs) % {MODULUS}", lambda it: sum(it["xs"]) % MODULUS)),
            put(name, Value(f"xs[{one.text} % len(xs)]", lambda it: it["xs"][one.of(it) % len(it["xs"])])),
            put(name, Value("max(xs) - min(xs)", lambda it: max(it["xs"]) - min(it["xs"]))),
        ]
    )


def of_strings(random: Random) -> Statement:
    """Return what reads the string ``s``, or makes another of it; it never gets empty."""
    name, letter, other = random.choice(NUMBERS), random.choice("aeiou"), random.choice("xyz")
    return random.choice(
        [
            put("s", Value("s[::-1]", lambda it: it["s"][::-1])),
            put("s", Value("s[1:] + s[0]", lambda it: it["s"][1:] + it["s"][0])),
            put("s", Value("s.upper()", lambda it: it["s"].upper())),
            put(
                "s",
                Value(f"s[{name} % len(s):] + '{other}'", lambda it: it["s"][it[name] % len(it["s"]) :] + other),
            ),
            put("s", Value(f"s.replace('{letter}', '{other}')", lambda it: it["s"].replace(letter, other))),
            put(name, Value(f"{name} + len(s)", lambda it: it[name] + len(it["s"]))),
            put(name, Value(f"s.lower().count('{letter}')", lambda it: it["s"].lower().count(letter))),
        ]
    )


def condition(random: Random, then: Sequence[Statement], otherwise: Sequence[Statement]) -> Statement:
    """Return an ``if`` with its ``else``."""
    one, other, by = random.choice(NUMBERS), _number(random), random.randint(2, 4)
    text, true = random.choice(
        [
            Value(f"{one} < {other.text}", lambda it: it[one] < other.of(it)),
            Value(f"{one} >= {other.text}", lambda it: it[one] >= other.of(it)),
            Value(f"{one} % {by} == 0", lambda it: it[one] % by == 0),
            Value(f"{one} in xs", lambda it: it[one] in it["xs"]),
        ]
    )

    def run(variables: Variables) -> None:
        _carry_out(then if true(variables) else otherwise, variables)

    return Statement([f"if {text}:", *_indented(then), "else:", *_indented(otherwise)], run)


def loop(random: Random, name: str, within: Sequence[Statement]) -> Statement:
    """Return a loop over a few numbers, the first of which may be added up."""
    times, to = random.randint(2, 4), random.choice(NUMBERS)
    add = Statement([f"{to} += {name}"], lambda it: it.update({to: it[to] + it[name]}))

    def run(variables: Variables) -> None:
        for number in range(times):
            variables[name] = number
            _carry_out([add, *within], variables)

    return Statement([f"for {name} in range({times}):", *_indented([add, *within])], run)


def _number(random: Random) -> Value:
    if random.random() < 0.6:
        name = random.choice(NUMBERS)
        return Value(name, lambda it: it[name])
    return constant(random.randint(2, 12))


def _carry_out(statements: Sequence[Statement], variables: Variables) -> None:
    for statement in statements:
        statement.run(variables)


def _indented(statements: Sequence[Statement]) -> list[str]:
    return [f"    {line}" for statement in statements for line in statement.lines]

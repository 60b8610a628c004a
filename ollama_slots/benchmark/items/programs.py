"""Make up Python programs and know what they return.

The value is known by construction: each part of a program is carried out beside its text. That Python returns the
same is proven by the tests, in the sandbox.
"""

from __future__ import annotations

from random import Random

from ollama_slots.benchmark.items import statements
from ollama_slots.benchmark.items.statements import Statement, Value, Variables

RESULTS = {
    1: [Value("a + b - c", lambda it: it["a"] + it["b"] - it["c"])],
    2: [
        Value("[a, b, c]", lambda it: [it["a"], it["b"], it["c"]]),
        Value("xs", lambda it: it["xs"]),
    ],
    3: [
        Value("(a, s)", lambda it: (it["a"], it["s"])),
        Value("(s, xs[:4])", lambda it: (it["s"], it["xs"][:4])),
        Value("(a, b, xs[-1])", lambda it: (it["a"], it["b"], it["xs"][-1])),
    ],
}


def program(random: Random, degree: int) -> tuple[str, object]:
    """Return the source of a function ``f``, and what it returns.

    + degree: 1 is plain statements, 2 has a condition and a loop over numbers and a list, 3 a loop in a loop, too.
    """
    body = statements.begin(random)[: 3 if degree == 1 else 4 if degree == 2 else 5]
    body += _some(random, degree, 4 if degree == 1 else 1)
    if degree > 1:
        body.append(_condition(random, degree))
        within = [_condition(random, degree), *_some(random, degree, 1)]
        if degree > 2:
            within.append(statements.loop(random, "j", _some(random, degree, 1)))
        body.append(statements.loop(random, "i", within))
    result = random.choice(RESULTS[degree])
    variables: Variables = {}
    for statement in body:
        statement.run(variables)
    lines = [line for statement in body for line in statement.lines]
    source = "".join(f"    {line}\n" for line in [*lines, f"return {result.text}"])
    return f"def f():\n{source}", result.of(variables)


def _some(random: Random, degree: int, count: int) -> list[Statement]:
    makers = [statements.of_numbers, statements.of_lists, statements.of_strings][:degree]
    return [random.choice(makers)(random) for _ in range(count)]


def _condition(random: Random, degree: int) -> Statement:
    return statements.condition(random, _some(random, degree, 1), _some(random, degree, 1))

"""Attacks on what the machine has: processor, memory, output, and the time of whoever waits."""

from __future__ import annotations


def _body(*lines: str) -> str:
    within = "\n".join(f"    {line}" for line in lines)
    return f"import re, sys\ndef add(a, b):\n{within}\n    return 0\n"


EXHAUST = {
    "loops": _body("while True: pass"),
    "loops while it is loaded": "while True: pass\n",
    "loops and catches all": _body(
        "while True:", "    try:", "        while True: pass", "    except BaseException: pass"
    ),
    "searches without end": _body("re.match('(a+)+$', 'a' * 60 + 'b')"),
    "counts without end": _body("10 ** 10 ** 9"),
    "sorts without end": _body("sorted(iter(int, 1))"),
    "calls itself": _body("return add(a, b)"),
    "calls itself without a limit": _body("sys.setrecursionlimit(10 ** 9)", "return add(a, b)"),
    "takes memory at once": _body("bytearray(10 ** 9)[-1] = 1", "return a + b"),
    "takes memory by and by": _body("held = []", "while True: held.append('x' * 10 ** 6)"),
    "clears memory without end": _body("while True: bytearray(2 * 10 ** 8)"),
    "returns too much": _body("return 'x' * 10 ** 8"),
    "returns what is too deep": _body("deep = []", "for _ in range(10 ** 5): deep = [deep]", "return deep"),
    "returns what holds itself": _body("held = []", "held.append(held)", "return held"),
    "returns what has no end": _body("return iter(int, 1)"),
    "raises too much": _body("raise ValueError('x' * 10 ** 8)"),
    "prints too much": _body("while True: print('x' * 10 ** 6)"),
    "nests its source": "def add(a, b):\n    return " + "(" * 5000 + "a + b" + ")" * 5000 + "\n",
    "nests its blocks": "".join(" " * n + "if 1:\n" for n in range(300)) + " " * 300 + "add = 0\n",
    "ends without end": _body("class Held:", "    def __del__(self):", "        while True: pass", "Held()"),
}

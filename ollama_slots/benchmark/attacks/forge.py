"""Attacks on the verdict: values, exceptions and changes of Python that make wrong look right."""

from __future__ import annotations

EQUAL = """
class Equal:
    __eq__ = lambda *_: True
    __sub__ = __abs__ = lambda it, *_: it
    __lt__ = lambda *_: True
def add(a, b):
    return Equal()
"""
EQUAL_NUMBER = """
class Number(int):
    __eq__ = lambda *_: True
    __sub__ = __abs__ = lambda it, *_: it
    __lt__ = lambda *_: True
    __hash__ = int.__hash__
    __repr__ = __str__ = lambda _: "5"
def add(a, b):
    return Number(0)
"""
BUILTIN = """
import builtins
builtins.abs = lambda _: 0
def add(a, b):
    return 5 if a == 2 else 7
"""
OWN_BUILTINS = """
own = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
own["abs"] = lambda _: 0
def add(a, b):
    return 5 if a == 2 else 7
"""
TRACE = """
import sys
def begun(frame, event, argument):
    if frame.f_code.co_name == "check":
        sys.exit(0)
sys.settrace(begun)
def add(a, b):
    return 0
"""
FRAMES = """
import dis, sys
def add(a, b):
    loads = [it for it in dis.get_instructions(sys._getframe(1).f_code) if it.opname.startswith("LOAD")]
    numbers = [it.argval for it in loads if type(it.argval) is int]
    return numbers[numbers.index(b) + 1]
"""
REPLACED = """
import sys
def add(a, b):
    frame = sys._getframe(1)
    while frame:
        frame.f_builtins["abs"] = lambda _: 0
        for name in ("candidate", "check", "_candidate", "_value"):
            frame.f_globals[name] = lambda *_: 50
        frame = frame.f_back
    return 5 if a == 2 else 7
"""
COLLECTED = """
import gc, types
def add(a, b):
    for it in gc.get_objects():
        if isinstance(it, types.FunctionType) and it.__name__ in ("check", "call", "load"):
            it.__code__ = (lambda *_: "=").__code__
    return "="
"""
GUEST = """
import sys
guest = sys.modules.get("guest")
guest.WitWorld.call = guest.WitWorld.check = lambda *_: "="
guest._plain = lambda _: True
def add(a, b):
    return 0
"""
ENCODER = """
import json
json.dumps = lambda *_, **__: "true"
def add(a, b):
    return 0
"""
ASKS = """
import wit_world
def add(a, b):
    wit_world.ask("[2, 3]")
    return a + b
"""
LIES = """
class Lie(AssertionError):
    def __str__(self):
        return "="
Lie.__name__ = Lie.__qualname__ = "="
def add(a, b):
    raise Lie("=")
"""
ENDLESS_LIE = """
class Lie(Exception):
    def __str__(self):
        while True:
            pass
def add(a, b):
    raise Lie
"""
OUTPUT = """
import os, sys
def add(a, b):
    for stream in (1, 2):
        try:
            os.write(stream, b'{"why": "", "fuel": 1}\\n')
        except OSError:
            pass
    print('{"why": "", "fuel": 1}', flush=True)
    return 0
"""


def _raises(what: str) -> str:
    return f"import os, sys\ndef add(a, b):\n    {what}\n    return 0\n"


FORGE = {
    "equals everything": EQUAL,
    "is a number that equals everything": EQUAL_NUMBER,
    "replaces a builtin": BUILTIN,
    "replaces its own builtins": OWN_BUILTINS,
    "ends the tests as they begin": TRACE,
    "reads the tests in a frame": FRAMES,
    "replaces the tests through frames": REPLACED,
    "replaces the check through the collector": COLLECTED,
    "replaces the guest's functions": GUEST,
    "replaces the encoder": ENCODER,
    "asks itself": ASKS,
    "raises an exception that lies": LIES,
    "raises an exception without end": ENDLESS_LIE,
    "prints a verdict": OUTPUT,
    "raises SystemExit": _raises("sys.exit(0)"),
    "exits": _raises("os._exit(0)"),
    "aborts": _raises("os.abort()"),
    "raises KeyboardInterrupt": _raises("raise KeyboardInterrupt"),
    "raises GeneratorExit": _raises("raise GeneratorExit"),
    "raises what cannot be encoded": _raises("raise ValueError('\\ud800' * 9)"),
    "exits while it is loaded": "import sys\nsys.exit(0)\n",
    "is no Python": "def add(a, b:\n    return a + b\n",
    "has no such function": "def plus(a, b):\n    return a + b\n",
    "is a value": "add = 5\n",
}

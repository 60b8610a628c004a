"""What runs inside the sandbox: CPython, compiled to WebAssembly, with the standard library and nothing else.

A text that goes out is ``=`` and a value, or ``!`` and what went wrong. Whatever a program does to this module, it
can only choose the text; the tests, in another instance, compare the value that the text says.
"""

import importlib
import json
import sys
import time
import types
from typing import Any

import wit_world

# Programs get what is imported before the interpreter is frozen: no file is there to import anything from later.
LIBRARY = """
abc argparse array ast asyncio atexit base64 bdb binascii bisect builtins calendar cmath cmd code codecs codeop
collections collections.abc colorsys concurrent.futures configparser contextlib contextvars copy copyreg csv
dataclasses datetime decimal difflib dis doctest email enum encodings.ascii encodings.idna encodings.latin_1
encodings.utf_16 encodings.utf_32 errno fnmatch fractions functools gc getopt glob graphlib hashlib heapq hmac
html importlib inspect io ipaddress itertools json keyword linecache locale logging math numbers opcode operator
optparse os os.path pathlib pdb pickle platform pprint queue random re reprlib sched secrets select selectors
shlex shutil signal socket stat statistics string struct subprocess symtable sys tempfile textwrap threading
time timeit token tokenize traceback types typing unicodedata unittest urllib urllib.parse uuid warnings weakref
xml.etree.ElementTree zlib zoneinfo
"""
LIMIT = 1_000_000  # characters of a value
SHOWN = 200  # characters of what went wrong


def _imported() -> None:
    for name in LIBRARY.split():
        try:
            importlib.import_module(name)
        except ImportError:  # what is not in every build, such as zlib
            continue
    sys.meta_path[:] = [it for it in sys.meta_path if getattr(it, "__name__", "") != "PathFinder"]


_imported()
time.sleep = lambda _: None  # it would wait outside, where instructions are not counted
sys.modules["random"].seed(0)  # the same numbers in each instance
_program: list[Any] = []


class _FailedError(BaseException):  # no test's `except Exception` catches it
    pass


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, its type beside it; raise TypeError for what is no plain value."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        return ["float", float.__repr__(value)]
    if isinstance(value, dict):
        return ["dict", [[_plain(key), _plain(it)] for key, it in value.items()]]
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return [kind.__name__, [_plain(it) for it in value]]
    for base in (bool, int, str):
        if isinstance(value, base):
            return base(value)
    if isinstance(value, bytes | bytearray):
        return ["bytes", value.hex()]
    if isinstance(value, complex):
        return ["complex", repr(value)]
    raise TypeError(f"expected a plain value, found {type(value).__name__}")


def _value(plain: Any) -> Any:
    if not isinstance(plain, list):
        return plain
    name, content = plain
    if name == "dict":
        return {_value(key): _value(it) for key, it in content}
    if name == "bytes":
        return bytes.fromhex(content)
    scalars = {"float": float, "complex": complex}
    if name in scalars:
        return scalars[name](content)
    return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[name](_value(it) for it in content)


def _why(error: BaseException) -> str:
    try:
        return f"!{type(error).__name__}: {error}"[:SHOWN]
    except BaseException:
        return f"!{type(error).__name__}"[:SHOWN]


def _candidate(*arguments: Any) -> Any:
    text = wit_world.ask(json.dumps(_plain(list(arguments))))
    if not text.startswith("="):
        raise _FailedError(text[1:])
    try:
        return _value(json.loads(text[1:]))
    except Exception as error:
        raise _FailedError(f"expected a plain value, found {type(error).__name__}") from None


class WitWorld:
    """The component's functions; load and call in one instance, check in another."""

    def load(self, source: str, name: str) -> str:
        """Run a program, and keep the function that it defines under this name."""
        module = types.ModuleType("program")
        sys.modules["program"] = module
        try:
            exec(compile(source, "<program>", "exec"), module.__dict__)
            _program.append(module.__dict__[name])
        except KeyError:
            return f"!no function {name} is defined"
        except BaseException as error:
            return _why(error)
        return "="

    def call(self, arguments: str) -> str:
        """Call the program's function; return its value."""
        try:
            text = json.dumps(_plain(_program[0](*_value(json.loads(arguments)))))
        except BaseException as error:
            return _why(error)
        return f"={text}" if len(text) <= LIMIT else f"!a value of more than {LIMIT} characters"

    def check(self, tests: str) -> str:
        """Run tests, which call ``candidate``."""
        try:
            exec(compile(tests, "<tests>", "exec"), {"__name__": "tests", "candidate": _candidate})
        except _FailedError as error:
            return f"!{error}"
        except AssertionError as error:
            return f"!a wrong value{f': {error}' if str(error) else ''}"[:SHOWN]
        except BaseException as error:
            return _why(error)
        return "="

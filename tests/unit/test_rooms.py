"""The rooms of the package: which may import which, and that core/ and benchmark/items/ do no I/O."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ollama_slots"
# Each room, the lowest first; what is at the top of the package has a floor of its own.
FLOORS = [
    ("core",),
    ("selection",),
    ("host", "registry"),
    ("facts",),
    ("run",),
    ("operations",),
    ("deploys", "mirror", "verify", "benchmark"),
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# What is pure may import beside itself: nothing of it reads, writes or asks.
PURE = {
    "__future__",
    "bisect",
    "collections",
    "contextlib",
    "dataclasses",
    "datetime",
    "difflib",
    "fnmatch",
    "fractions",
    "functools",
    "hashlib",
    "ipaddress",
    "itertools",
    "json",
    "pydantic",
    "re",
    "shlex",
    "typing",
}
IO = {"open", "print", "input", "exec", "eval", "compile", "__import__"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imports(file: Path) -> set[str]:
    """What a module imports, wherever in it, by its full name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {it.name for it in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(file)}: expected full names in imports, found a relative one"
            names |= {f"{node.module}.{it.name}" for it in node.names}
    return names


# What items are made with beside that, from a seed.
DRAWN = {"ast", "enum", "math", "random", "decimal"}
PURE_ROOMS = {
    PACKAGE / "core": PURE,
    PACKAGE / "benchmark" / "items": PURE | DRAWN,
    PACKAGE / "benchmark" / "choice": PURE | {"math"},
}
# What a pure room may import beside itself: others that are as pure.
BELOW = {"benchmark.choice": ("ollama_slots.core.", "ollama_slots.benchmark.items.")}


@pytest.mark.parametrize("file", [it for it in MODULES if it.parent in PURE_ROOMS], ids=name)
def test_what_is_pure_does_no_io(file: Path) -> None:
    room = name(file).rpartition(".")[0]
    for module in imports(file):
        rooms = (f"ollama_slots.{room}", *BELOW.get(room, ()))
        allowed = module.startswith(rooms) or module.partition(".")[0] in PURE_ROOMS[file.parent]
        assert allowed, f"{name(file)} imports {module}: {room} does no I/O, and imports what does none"
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        assert called not in IO, f"{name(file)} calls {called}(): {room} does no I/O"


@pytest.mark.parametrize("file", MODULES, ids=name)
def test_a_room_imports_from_its_own_floor_or_a_lower_one(file: Path) -> None:
    room = name(file).partition(".")[0]
    if room == "__init__":
        return
    for module in imports(file):
        package, _, rest = module.partition(".")
        if package == "ollama_slots" and rest:
            other = rest.partition(".")[0]
            upward = other != room and FLOOR[other] >= FLOOR[room]
            assert not upward, f"{name(file)} imports {module}: {other} is not below {room}"

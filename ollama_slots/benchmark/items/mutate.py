"""Break a function in one place: every way to do it, in a fixed order, each an edit of the text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

# An operator and what it becomes. Two-letter ones come first, for they begin with others.
COMPARED = {
    "==": "!=",
    "!=": "==",
    "<=": "<",
    ">=": ">",
    "<": "<=",
    ">": ">=",
    "not in": "in",
    "is not": "is",
    "in": "not in",
    "is": "is not",
}
COUNTED = {"//": "%", "**": "*", "+": "-", "-": "+", "*": "+", "%": "//", "/": "*"}
JOINED = {"and": "or", "or": "and"}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


class _Edit(NamedTuple):
    start: int
    end: int
    text: bytes


def mutants(whole: str, after: str) -> list[str]:
    """Return every mutant of a function, each of which is Python.

    + after: the beginning that is left as it is.
    """
    source = whole.encode()
    found = []
    for edit in sorted(set(_edits(ast.parse(whole), source, len(after.encode())))):
        mutant = (source[: edit.start] + edit.text + source[edit.end :]).decode()
        try:
            ast.parse(mutant)
        except SyntaxError:
            continue
        found.append(mutant)
    return found


def _edits(tree: ast.Module, source: bytes, start: int) -> Iterator[_Edit]:
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.AugAssign) and _span(node, lines)[0] >= start:
            yield from _of_operators(node, source, lines)
            yield from _of_operands(node, lines)


def _of_operators(node: ast.expr | ast.AugAssign, source: bytes, lines: list[int]) -> Iterator[_Edit]:
    match node:
        case ast.Compare(left=left, comparators=others):
            pairs, operators = list(zip([left, *others], others, strict=False)), COMPARED
        case ast.BinOp(left=left, right=right):
            pairs, operators = [(left, right)], COUNTED
        case ast.AugAssign(target=left, value=right):
            pairs, operators = [(left, right)], COUNTED
        case ast.BoolOp(values=[left, right, *_]):
            pairs, operators = [(left, right)], JOINED
        case _:
            return
    for left, right in pairs:
        start, end = _span(left, lines)[1], _span(right, lines)[0]
        for old, new in operators.items():
            found = re.search(rb"\s+".join(re.escape(it) for it in old.encode().split()), source[start:end])
            if found:
                yield _Edit(start + found.start(), start + found.end(), new.encode())
                break


def _of_operands(node: ast.expr | ast.AugAssign, lines: list[int]) -> Iterator[_Edit]:
    start, end = _span(node, lines)
    match node:
        case ast.Name(id=name) if name in NAMES:
            yield _Edit(start, end, NAMES[name].encode())
        case ast.Constant(value=bool(value)):
            yield _Edit(start, end, str(not value).encode())
        case ast.Constant(value=int(value)):
            yield _Edit(start, end, str(value + 1).encode())
            if value > 0:
                yield _Edit(start, end, str(value - 1).encode())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _Edit(start, _span(operand, lines)[0], b"")


def _span(node: ast.expr | ast.AugAssign, lines: list[int]) -> tuple[int, int]:
    """Return where a node begins and ends, in bytes."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset

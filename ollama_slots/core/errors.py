"""Report bad data in one line."""

from __future__ import annotations

from pydantic import ValidationError


def first_error(error: ValidationError) -> str:
    """Return the first of pydantic's findings as one line: where, expected, found.

    Values are cut, so that a hostile one cannot flood a terminal or forge a second line.
    """
    finding = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in finding["loc"])
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "value_error":
        return f"{where}: {message}" if where else message
    if finding["type"] == "missing":
        return f"{where}: expected a value, found none: set it"
    return f"{ascii(where)[1:-1][:120]}: {message}, found {shown(finding['input'])}"


def shown(value: object) -> str:
    """Return a value of whatever size and depth, as a message shows it."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested a thousand deep, or a number of more than 4300 digits
        return f"{type(value).__name__} too large to be shown"
    return text if len(text) <= 60 else text[:57] + "..."

"""What a person is told of bad data: one line."""

from __future__ import annotations

from pydantic import ValidationError


def first_error(error: ValidationError) -> str:
    """The first of pydantic's findings as one line: where, what was expected, what was found.

    Values are cut, so that a hostile one cannot flood a terminal or forge a second line.
    """
    finding = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in finding["loc"])
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "value_error":
        return f"{where}: {message}" if where else message
    found = repr(finding["input"])
    shown = found if len(found) <= 60 else found[:57] + "..."
    return f"{ascii(where)[1:-1][:120]}: {message}, found {shown}"

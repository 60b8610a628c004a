"""Templates filled in. Reads them, and nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def _modelfile_value(value: bool | int | float | str) -> str:
    """A value as a Modelfile spells it; text goes between triple quotes, which know no escape."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"""{value}"""' if isinstance(value, str) else str(value)


def _each(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([".", "/"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # no HTML here
    )
    environment.filters.update(modelfile=_modelfile_value, each=_each)
    return environment


def fill(template: str, **values: object) -> str:
    """A template's text with these values.

    Raises ValueError with one line: a template may be a user's code, and whatever it raises is told of in that.
    """
    try:
        return _environment().get_template(template).render(**values)
    except Exception as error:
        reason = " ".join(f"{error}".split()) or "no reason given"
        raise ValueError(f"{template}: {type(error).__name__}: {reason:.200}") from None

"""Fill in templates: the package's own, and a user's Modelfile. Reads them, and nothing else."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, FileSystemLoader, StrictUndefined, TemplateError

PACKAGE = Path(__file__).resolve().parent.parent
# In a checkout they are beside the package, in an installed one within it. Nowhere else: what is filled in from
# them runs as root on the hosts, and a project may have a templates/ of its own.
TEMPLATES = PACKAGE / "templates" if (PACKAGE / "templates").is_dir() else PACKAGE.parent / "templates"
MODELFILE = "Modelfile.j2"
# As in the TEMPLATE of a Modelfile: {{ .Prompt }}, {{- if .System }}, {{ end }}.
GO = re.compile(r"\{\{-?\s*(\.|\$|/\*|(if|else|end|range|with|eq|block|define|template)\b)")
RAW = "; braces that are Ollama's own, as in TEMPLATE, belong between {% raw %} and {% endraw %}"


def _modelfile_value(value: bool | int | float | str) -> str:
    """Return a value as a Modelfile spells it; text goes between triple quotes, which know no escape."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"""{value}"""' if isinstance(value, str) else str(value)


def _each(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _environment(loader: BaseLoader) -> Environment:
    environment = Environment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # no HTML here
    )
    environment.filters.update(modelfile=_modelfile_value, each=_each)
    return environment


@cache
def _own() -> Environment:
    return _environment(FileSystemLoader(TEMPLATES))


@cache
def _users() -> Environment:
    return _environment(FileSystemLoader([".", "/"]))


def fill(template: str, **values: object) -> str:
    """Fill in one of the package's templates, by its file's name."""
    return _own().get_template(template).render(**values)


def modelfile(template: str | None, **values: object) -> str:
    """Write a slot's Modelfile.

    + template: a user's own, by its path, which is relative to where pyinfra runs; None: the package's

    Raises ValueError with one line: a template may be a user's code, and whatever it raises is in that.
    """
    try:
        if template is None:
            return fill(MODELFILE, **values)
        # Written out, for jinja2 refuses a path with .. in it.
        return _users().get_template(os.path.abspath(template)).render(**values)
    except Exception as error:
        reason = " ".join(f"{error}".split()) or "no reason given"
        hint = RAW if isinstance(error, TemplateError) and template and _has_braces_of_go(template) else ""
        raise ValueError(f"{template or MODELFILE}: {type(error).__name__}: {reason:.200}{hint}") from None


def _has_braces_of_go(template: str) -> bool:
    return bool(GO.search(Path(template).read_text(encoding="utf-8", errors="replace")))

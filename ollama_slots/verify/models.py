"""Read what /api/show and a Modelfile say of a model, in one form that can be compared. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

# What stands between triple quotes is one value, however many lines it has and whatever they begin with.
INSTRUCTION = re.compile(r'^([A-Za-z]+)[ \t]+([^\n"]*"""(?:.*?)"""|[^\n]*)$', re.MULTILINE | re.DOTALL)

Values = tuple[float | str, ...]  # sorted: the engine keeps no order
Parameters = dict[str, Values]
Answer = dict[str, Any]


class Model(NamedTuple):
    """A model that is there. ``weights``: sha256 of its blobs; a vision model has two."""

    weights: frozenset[str]
    parent: str
    system: str
    parameters: Parameters
    trained: int | None  # tokens
    sees: bool
    embeds: bool  # it makes embeddings, and no text
    blocks: int | None


class Modelfile(NamedTuple):
    """What a Modelfile says of a variant; None or nothing where it leaves that to the base."""

    base: str | None
    system: str | None
    parameters: Parameters


def values(given: object) -> Values:
    """Return one value or several, sorted; Ollama keeps fractions in 32 bits, so they are compared that far."""
    return tuple(sorted((_plain(it) for it in (given if isinstance(given, list) else [given])), key=str))


def _plain(value: object) -> float | str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        number = float(text)
        return number if number.is_integer() else float(f"{number:.6g}")
    except ValueError:
        return text


def _gathered(pairs: Iterable[tuple[str, str]]) -> Parameters:
    gathered: dict[str, list[object]] = {}
    for key, value in pairs:
        gathered.setdefault(key, []).append(value)
    return {key: values(given) for key, given in gathered.items()}


def shown(answer: Answer) -> Model | None:
    """Parse an answer of /api/show; None where there is no such model, or where its weights are not there."""
    blobs = re.findall(r"^FROM .*sha256-([0-9a-f]{64})$", answer.get("modelfile") or "", re.MULTILINE)
    if not blobs:
        return None
    info = answer.get("model_info") or {}
    lines = [line.partition(" ") for line in (answer.get("parameters") or "").splitlines()]
    return Model(
        weights=frozenset(blobs),
        parent=answer["details"].get("parent_model") or "",
        system=answer.get("system") or "",
        parameters=_gathered((key, _from_go(value.strip())) for key, _, value in lines if key),
        trained=info.get(f"{info.get('general.architecture')}.context_length"),
        sees="vision" in (answer.get("capabilities") or []),
        embeds="embedding" in (able := answer.get("capabilities") or []) and "completion" not in able,
        blocks=info.get(f"{info.get('general.architecture')}.block_count"),
    )


def _from_go(text: str) -> str:
    """Unquote text in Go's quotes, whose escapes are Python's too; a number stands as it is."""
    return str(ast.literal_eval(text)) if text.startswith('"') else text


def read(text: str) -> Modelfile:
    """Parse a Modelfile's FROM, SYSTEM and PARAMETERs."""
    said: dict[str, list[str]] = {}
    for keyword, rest in INSTRUCTION.findall(text):
        said.setdefault(keyword.upper(), []).append(rest.strip())
    pairs = (rest.split(None, 1) for rest in said.get("PARAMETER", []))
    return Modelfile(
        base=next(iter(said.get("FROM", [])), None),
        system=next((_unquoted(rest) for rest in said.get("SYSTEM", [])), None),
        parameters=_gathered((pair[0], _unquoted(pair[-1])) for pair in pairs),
    )


def _unquoted(text: str) -> str:
    for quote in ('"""', '"'):
        if text.startswith(quote) and text.endswith(quote) and len(text) >= 2 * len(quote):
            return text[len(quote) : -len(quote)]
    return text

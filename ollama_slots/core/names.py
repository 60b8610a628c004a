"""Parse model names by Ollama's own grammar (types/model/name.go of v0.32.15)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

DEFAULT_HOST, DEFAULT_NAMESPACE, DEFAULT_TAG = "registry.ollama.ai", "library", "latest"

_PART = {
    "host": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}"),
    "namespace": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"),
    "model": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"),
    "tag": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"),
}
VARIANT = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$"  # a variant's name: a model without host, namespace and tag
CANDIDATE = "ollama-slots-candidate"  # of the benchmark, on a host; one at a time
GRAMMAR = "[[host/]namespace/]model[:tag] of letters, digits and _ - . (80 a part at most)"


class Name(NamedTuple):
    """A model name in its four parts, the defaults filled in, case as written."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def key(self) -> str:
        """What two names that mean the same model have in common: full and in lower case."""
        return "/".join(self[:3]).lower() + ":" + self.tag.lower()

    @property
    def short(self) -> str:
        """The name as /api/tags and /api/ps show it: default host and namespace left out, tag always there."""
        name = f"{self.model}:{self.tag}"
        if self.host.lower() != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{name}"
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{name}"
        return name

    @property
    def repository(self) -> str:
        """Where a mirror has it, below ``v2/``: NAMESPACE/MODEL, after its HOST where that is not Ollama's own.

        In lower case: to the engine case does not count, in a tree of files it does.
        """
        parts = self[1:3] if self.host.lower() == DEFAULT_HOST else self[:3]
        return "/".join(parts).lower()


@lru_cache(10_000)  # a fleet has a few names, each parsed many times a host
def parse(text: str) -> Name:
    """Split a model name as Ollama does.

    + text: the name, e.g. ``qwen2.5-coder:14b`` or ``registry.example.com:5000/team/model``

    Raises ValueError with one line that says what is wrong with it. Besides what is no name to the engine, that
    is one which it takes for another: with a scheme (``https://...``) or ``:local``, or a name of its cloud.
    """
    rest, tag = text, DEFAULT_TAG
    if text.rfind(":") > text.rfind("/"):
        rest, _, tag = text.rpartition(":")
    *before, model = rest.rsplit("/", 2)
    if len(before) == 2:
        host, namespace = before
    else:
        host, namespace = DEFAULT_HOST, before[0] if before else DEFAULT_NAMESPACE
    name = Name(host, namespace, model, tag)
    for kind, part in zip(name._fields, name, strict=True):
        if not _PART[kind].fullmatch(part):
            shown = text if len(text) <= 60 else text[:57] + "..."
            raise ValueError(f"{shown!r} is not a model name (its {kind} is wrong): expected {GRAMMAR}")
    if name.tag.lower() == "local":
        raise ValueError(f"{text!r}: Ollama drops the tag :local; leave it out, or name the real tag")
    if name.tag.lower() == "cloud" or name.tag.lower().endswith("-cloud"):
        raise ValueError(f"{text!r} runs in Ollama's cloud: it cannot be pulled or held in GPU memory here")
    return name


def spellings(models: Iterable[str]) -> dict[str, str]:
    """Return the first spelling of each model, by its key."""
    first: dict[str, str] = {}
    for model in models:
        first.setdefault(parse(model).key, model)
    return first


def same(one: str, other: str) -> bool:
    """Return whether two valid names mean the same model: ``x`` is ``x:latest``, and case does not count."""
    return parse(one).key == parse(other).key

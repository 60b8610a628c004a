"""Compare values of environment variables by what they mean to Ollama."""

from __future__ import annotations

import re
from fractions import Fraction

MICRO = Fraction(1, 10**6)
UNITS = {
    "ns": MICRO / 1000,
    "us": MICRO,
    "µs": MICRO,
    "μs": MICRO,
    "ms": MICRO * 1000,
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
PART = rf"(\d+\.?\d*|\.\d+)({'|'.join(UNITS)})"
DEFAULT_SECONDS = 300  # where the engine can make nothing of a keep-alive


def same(name: str, value: str, other: str) -> bool:
    """Return whether two values of an environment variable are one to Ollama."""
    return _meaning(name, value) == _meaning(name, other)


def said(value: str) -> str:
    """Return a value as Ollama reads it, without spaces and quotes around it (envconfig/config.go, v0.34.4)."""
    return value.strip().strip("\"'")


def whole(value: str) -> int:
    """Return the number that Ollama reads in a value; 0 where it can read none."""
    text = said(value)
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else 0


def _meaning(name: str, value: str) -> object:
    text = said(value)
    if name == "OLLAMA_KEEP_ALIVE":
        return _seconds(text)
    if name == "OLLAMA_MAX_LOADED_MODELS":
        return whole(text)
    return value


def _seconds(text: str) -> Fraction | str:
    """Return how long a model is kept: a duration of Go's, or whole seconds (envconfig/config.go, v0.32.15)."""
    number = re.fullmatch(rf"([-+]?)(\d{{1,18}}|({PART})+)", text, re.ASCII)
    if number is None:
        return Fraction(DEFAULT_SECONDS)
    parts: list[tuple[str, ...]] = re.findall(PART, number[2]) or [(number[2], "s")]
    seconds = sum((Fraction(amount) * UNITS[unit] for amount, *_, unit in parts), Fraction())
    return "for ever" if number[1] == "-" and seconds else seconds

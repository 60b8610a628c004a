"""A script of host/ with some of its functions in other words, where a test is about the rest of it."""

from ollama_slots.core import units
from ollama_slots.host import scripts


def doubled(script: str, doubles: str, *, root: str = "", **arguments: str | int) -> str:
    """A script's whole text, in which these functions take the place of its libraries'."""
    whole, own = scripts.text(script, root=root, unit=units.DEFAULT, **arguments), scripts.source(script)
    return f"{whole.removesuffix(own)}{doubles}\n{own}"

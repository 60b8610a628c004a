"""What something that may fail has to say."""

from collections.abc import Callable
from typing import Any

from pyinfra.api.exceptions import PyinfraError


def complaint(of: Callable[..., Any], *arguments: Any) -> str:
    """The message of the ValueError or PyinfraError that a call ends in; empty where it succeeds."""
    try:
        of(*arguments)
    except (ValueError, PyinfraError) as error:
        return str(error) or "it failed without a word"
    return ""

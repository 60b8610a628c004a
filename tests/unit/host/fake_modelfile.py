"""A Modelfile as the fake engine's ``create`` reads it: FROM, PARAMETER and SYSTEM."""

from __future__ import annotations

import re
from typing import Any

INSTRUCTION = re.compile(r'(FROM|SYSTEM|PARAMETER \w+) (?:"""((?:(?!""").)*)"""|([^"\n]*))\n', re.DOTALL)


def parse(text: str) -> tuple[str, dict[str, Any], str]:
    """What a Modelfile says: the model that it is from, the parameters, and the system prompt."""
    of, system, parameters = "", "", dict[str, Any]()
    for match in INSTRUCTION.finditer(re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)):
        value = match[3] if match[2] is None else match[2]
        if match[1] == "FROM":
            of = value
        elif match[1] == "SYSTEM":
            system = value
        elif match[1] == "PARAMETER stop":
            parameters.setdefault("stop", []).append(value)
        else:
            parameters[match[1].partition(" ")[2]] = _value(value)
    return of, parameters, system


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text

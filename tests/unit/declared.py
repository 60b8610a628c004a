"""What the tests declare: settings in one line."""

from typing import Any

from ollama_slots.core.settings import Settings
from ollama_slots.host.desired import settings_of

NAMES = ("one", "two", "three", "four")


def declared(*models: str | None, **data: Any) -> Settings:
    """Settings of a host whose slots one, two, ... are to hold these models, with 4096 tokens each.

    + models: a base; ``none``: to be empty; None: to be left as it is
    + data: more data, e.g. ``slot2_num_ctx=8192``
    """
    slots: dict[str, Any] = {}
    for number, (name, model) in enumerate(zip(NAMES, models, strict=False), 1):
        slots |= {f"slot{number}_name": name, f"slot{number}_num_ctx": 4096, f"slot{number}_model": model}
    return settings_of("gpu-a", slots | data)

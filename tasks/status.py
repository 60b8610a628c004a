"""The slots as they are, and all that is not as declared. Changes nothing; a host that differs fails."""

from pyinfra import host

from ollama_slots import upkeep
from ollama_slots.settings import Settings

upkeep.status(
    name="Every slot, unit and file is as declared",
    settings=Settings.of(host.name, host.data.dict()),
)

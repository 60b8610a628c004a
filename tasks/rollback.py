"""Every slot, or the one that --data rollback=NAME names, holds again what it had before."""

from pyinfra import host

from ollama_slots import upkeep
from ollama_slots.settings import Settings

upkeep.rollback(
    name="The slots hold what they had before",
    settings=Settings.of(host.name, host.data.dict()),
)

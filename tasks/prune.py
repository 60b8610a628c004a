"""What this tool brought and nothing declares any more: listed, and removed with --data prune=true."""

from pyinfra import host

from ollama_slots import upkeep
from ollama_slots.settings import Settings

upkeep.prune(
    name="Nothing is left that this tool brought and nothing declares",
    settings=Settings.of(host.name, host.data.dict()),
)

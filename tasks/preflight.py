"""What would keep a deploy from ending well, found before anything is changed on any host."""

from pyinfra import host

from ollama_slots import operations
from ollama_slots.settings import Settings

operations.preflight(
    name="Nothing stands in the way",
    settings=Settings.of(host.name, host.data.dict()),
)

"""The models: bases pulled, variants made, slots rotated."""

from pyinfra import host

from ollama_slots import operations
from ollama_slots.settings import Settings

operations.models(
    name="Every slot holds the model that is declared",
    settings=Settings.of(host.name, host.data.dict()),
)

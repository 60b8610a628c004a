"""Ollama's own service: the drop-in with the environment that the slots need."""

from pyinfra import host

from ollama_slots import operations
from ollama_slots.settings import Settings

operations.service(
    name="Ollama runs with the environment that the slots need",
    settings=Settings.of(host.name, host.data.dict()),
)

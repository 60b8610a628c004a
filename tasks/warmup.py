"""The warm-up unit, and the proof that every slot is resident."""

from pyinfra import host

from ollama_slots import operations
from ollama_slots.settings import Settings

settings = Settings.of(host.name, host.data.dict())

operations.warm_up(name="ollama-warmup.service has every slot resident", settings=settings)
operations.proof(name="Every slot is resident as declared", settings=settings)

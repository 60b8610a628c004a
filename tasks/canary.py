"""A canary is proven; any other host goes no further where one has failed."""

from pyinfra import host

from ollama_slots import canary
from ollama_slots.settings import Settings

settings = Settings.of(host.name, host.data.dict())

if host in canary.canaries(host):
    canary.proof(name="Every slot of a canary answers, and fast enough", settings=settings)
if canary.canaries(host):
    canary.gate(name="No canary has failed")

"""Has Ollama run with the environment that the slots need."""

from ollama_slots.deploys import service

service()

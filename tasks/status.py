"""Reports the slots and all drift. Changes nothing; a host that differs fails."""

from ollama_slots.deploys import status

status()

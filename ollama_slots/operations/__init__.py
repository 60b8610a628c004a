"""Define the operations, one verb a file: each reads, decides and yields what is missing."""

from ollama_slots.operations import canary, models, preflight, prune, rollback, service, status, warm_up

__all__ = ["canary", "models", "preflight", "prune", "rollback", "service", "status", "warm_up"]

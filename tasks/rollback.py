"""Rolls every slot, or the one that --data rollback=NAME names, back to its previous variant."""

from ollama_slots.deploys import rollback

rollback()

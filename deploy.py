"""Deploys the slots: every task in order, canaries first. One alone: pyinfra inventory.py tasks/models.py."""

from ollama_slots.deploys import slots

slots()

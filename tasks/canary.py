"""Proves the canaries; stops every other host if one has failed."""

from ollama_slots.deploys import canary

canary()

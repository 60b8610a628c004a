"""Checks, before anything is changed on any host, that a deploy will end well."""

from ollama_slots.deploys import preflight

preflight()

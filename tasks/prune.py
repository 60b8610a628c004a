"""Prunes undeclared models and slots: lists them, or removes them with --data prune=true."""

from ollama_slots.deploys import prune

prune()

"""Pulls bases, makes variants, rotates slots."""

from ollama_slots.deploys import models

models()

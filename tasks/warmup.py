"""Installs and runs the warm-up unit, and proves every slot resident."""

from ollama_slots.deploys import warm_up

warm_up()

"""Measures models on the hosts, and writes the best ones for slots 1 to 3 to model_selection.json."""

from ollama_slots.benchmark.run.task import benchmark

benchmark()

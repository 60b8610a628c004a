"""Measure how good and how fast models are, where they are served. Optional: no deploy imports it."""

"""Keeps the right language models pulled, configured and hot in GPU memory on a fleet of Ollama hosts."""

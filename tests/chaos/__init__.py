"""A long walk of random steps over a lab host, and what has to hold after each of them: ``make chaos``."""

"""Decide, purely: from desired and observed to differences and steps. Nothing here does any I/O."""

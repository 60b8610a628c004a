"""The thinking, pure: from what is desired and observed to differences and steps. Nothing here does any I/O."""

"""The edge to a host: the scripts that run there, their one front door, and what they print, read."""

"""Run everything on a host: the scripts, their one front door, and the readers of what they print."""

"""All that runs on a host, and the one way to it: scripts.py."""

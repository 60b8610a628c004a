"""Test what was deployed, on the user's own hosts."""

"""The tests of what was deployed, for the user's own hosts."""

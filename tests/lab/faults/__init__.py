"""Faults, each made on the lab's real parts while users ask all four slots. See test_faults.py."""

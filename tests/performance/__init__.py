"""Measurements, printed and written down, never asserted."""

"""Exercises on the real path: script, conductor, score."""

"""Bulletins labelled by hand with the incident they belong to, and how suggestions are scored against them."""

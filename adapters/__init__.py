"""Adapters: they connect the existing systems of authorities to the bus."""

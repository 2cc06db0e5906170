"""Commands of an officer: draft, publish, amend, seal, and what became of it."""

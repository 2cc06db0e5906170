"""Commands of an officer: draft, publish, amend, seal, and follow what was sent."""

"""Commands of a developer: adapters, the demonstration, schemas, what steps cost."""

"""Commands of a developer: adapters, the demonstration, schemas, the cost of single steps."""

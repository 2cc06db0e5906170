"""The record: what every command prints and how it exits, on a fixed demonstration; the net under a refactoring."""

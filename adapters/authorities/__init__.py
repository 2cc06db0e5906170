"""The built-in adapters: each for one sort of authority, with its manifest beside it."""

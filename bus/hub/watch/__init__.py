"""Which channels live, which are late or silent, and what is done about it."""

"""What grows with history, and what must not."""

"""Numbers that a network decides: rates, backoff, phases, deadlines."""

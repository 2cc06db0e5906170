"""The wire contract: what a bulletin says and how it is written. No I/O, no clock, no keys."""

"""The wire contract: the content of a bulletin and its encoding. No I/O, no clock, no keys."""

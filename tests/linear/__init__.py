"""Where bytes from outside enter, what is worst for each place, and what that costs: `python -m tests.linear` prints it."""

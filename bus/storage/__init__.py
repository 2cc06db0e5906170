"""Opens databases, leases and files. The only room that opens SQLite."""

"""What every command shares: options, sessions, files, output."""

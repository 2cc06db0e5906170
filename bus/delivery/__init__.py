"""What became of what was published: receipts, deadlines, who has not confirmed."""

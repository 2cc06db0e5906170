"""Native formats: one module each, pure functions from bytes to drafts with a loss report."""

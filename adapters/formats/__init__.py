"""Native formats: a module or package each, pure functions from bytes to drafts with a loss report."""

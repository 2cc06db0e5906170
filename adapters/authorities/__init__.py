"""The adapters that ship: one authority each, with its manifest beside it."""

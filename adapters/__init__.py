"""Adapters: how authorities join with the systems they have."""

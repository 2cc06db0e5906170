"""The way in: fetch, admit, keep."""

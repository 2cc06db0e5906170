"""A third labelled set. Nothing of the suggestions is set on it."""

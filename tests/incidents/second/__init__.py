"""A second labelled set, of other events. The points of suggestions are not set on it."""

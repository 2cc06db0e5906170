"""A third labelled set. Nothing of the suggestions is set on it."""

from tests.incidents.third import pairs, stories

__all__ = ["pairs", "stories"]

"""A second labelled set, of other events in more languages."""

from tests.incidents.second import pairs, stories_north, stories_south

__all__ = ["pairs", "stories_north", "stories_south"]

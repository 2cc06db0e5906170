"""Moved to `tests.support.world`; this name goes when nobody asks for it any more."""

from tests.support.world import *  # noqa: F403

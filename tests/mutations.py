"""Moved to `tests.support.mutations`; this name goes when nobody asks for it any more."""

from tests.support.mutations import *  # noqa: F403

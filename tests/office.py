"""Moved to `tests.support.office`; this name goes when nobody asks for it any more."""

from tests.support.office import *  # noqa: F403

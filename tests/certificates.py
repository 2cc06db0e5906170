"""Moved to `tests.support.certificates`; this name goes when nobody asks for it any more."""

from tests.support.certificates import *  # noqa: F403

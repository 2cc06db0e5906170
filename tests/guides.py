"""Moved to `tests.support.guides`; this name goes when nobody asks for it any more."""

from tests.support.guides import *  # noqa: F403

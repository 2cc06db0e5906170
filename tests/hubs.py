"""Moved to `tests.support.hubs`; this name goes when nobody asks for it any more."""

from tests.support.hubs import *  # noqa: F403

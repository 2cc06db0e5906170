"""Errors of the command line itself; those of the library stand in its own rooms."""

from __future__ import annotations

from bus.errors import BusError
from schemas.errors import TocsinError


class NotFoundError(TocsinError):
    """What was asked for is not here."""

    reason = "not-found"


class InputFileError(BusError):
    """A file that is not there (`file-missing`), cannot be read (`file-unreadable`), or is no draft."""

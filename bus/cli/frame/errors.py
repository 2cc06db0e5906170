"""Errors of the command line itself; those of the library stand in its own rooms."""

from __future__ import annotations

from bus.errors import BusError
from schemas.errors import TocsinError, Violation


class NotFoundError(TocsinError):
    """What was asked for is not here."""

    reason = "not-found"


class ReviewError(BusError):
    """A draft holds what only a person can judge, and nobody has said that it is right.

    Attributes:
        doubts: what must be looked at.
    """

    reason = "not-reviewed"

    def __init__(self, doubts: tuple[Violation, ...]) -> None:
        super().__init__(
            "; ".join(f"{doubt.rule} at {doubt.path}: {doubt.text}" for doubt in doubts),
            remedy="mend it, or say why it is right: --reviewed REASON",
        )
        self.doubts = doubts


class InputFileError(BusError):
    """A file that is not there (`file-missing`), cannot be read (`file-unreadable`), or is no draft."""

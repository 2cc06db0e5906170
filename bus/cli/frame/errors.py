"""Errors of the command line itself; each room of the library has its own errors."""

from __future__ import annotations

from bus.errors import BusError
from schemas.errors import TocsinError, Violation


class NotFoundError(TocsinError):
    """The named thing does not exist here."""

    reason = "not-found"


class ReviewError(BusError):
    """A draft holds a doubt that only a person can judge, and no person has confirmed it.

    Attributes:
        doubts: the findings that a person must look at.
    """

    reason = "not-reviewed"

    def __init__(self, doubts: tuple[Violation, ...]) -> None:
        super().__init__(
            "; ".join(f"{doubt.rule} at {doubt.path}: {doubt.text}" for doubt in doubts),
            remedy="correct the draft, or say why it is right: --reviewed REASON",
        )
        self.doubts = doubts


class InputFileError(BusError):
    """A file does not exist (`file-missing`), cannot be read (`file-unreadable`), or is not a draft."""

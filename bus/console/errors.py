"""What goes wrong with a request, each with a status of HTTP and a reason code."""

from __future__ import annotations

from bus.errors import BusError


class PageError(BusError):
    """A page that cannot be shown.

    Attributes:
        status: of the response.
        text: the sentence with its places open, by which it is translated.
        places: what stands in them.
    """

    status = 500
    reason = "page-failed"

    def __init__(self, text: str, *, reason: str | None = None, **places: object) -> None:
        super().__init__(text % places, reason=reason)
        self.text, self.places = text, places


class NotHereError(PageError):
    """Nothing is called so here, or this person may not read it: which of the two is not said."""

    status = 404
    reason = "page-missing"


class BadRequestError(PageError):
    """A request that cannot be understood."""

    status = 400
    reason = "request-malformed"


class WrongHostError(PageError):
    """A request for another host than this console is."""

    status = 421
    reason = "wrong-host"


class TooLargeError(PageError):
    """A request that is longer than any of this console."""

    status = 413
    reason = "request-too-large"


class TooManyError(PageError):
    """One person, or one address, asks faster than any person does."""

    status = 429
    reason = "too-many-requests"


class SlowError(PageError):
    """A request that did not come, or was not answered, in time."""

    status = 503
    reason = "request-slow"

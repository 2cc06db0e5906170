"""What goes wrong with a request, each with a status of HTTP and a reason code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus.errors import BusError
from bus.hub.acting import Doubt


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
        super().__init__(text % places if places else text, reason=reason)
        self.text, self.places = text, places


class NotHereError(PageError):
    """Nothing is called so here, or this person may not read it: which of the two is not said."""

    status = 404
    reason = "page-missing"


class EmbargoError(PageError):
    """A file of a bulletin that its readers see and may not hand on yet."""

    status = 403
    reason = "embargoed"


class BadRequestError(PageError):
    """A request that cannot be understood."""

    status = 400
    reason = "request-malformed"


class SignedOutError(PageError):
    """A form that was sent after the session of its page had ended."""

    status = 401
    reason = "session-ended"


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


class RefusedError(PageError):
    """The hub has refused to do it; the reason is that of the hub."""

    status = 409
    reason = "deed-refused"


class AgainError(RefusedError):
    """A person must look at it once more, and may send it again with a reason.

    Attributes:
        path: where it was sent to.
        fields: what was sent.
        doubts: what is to be looked at.
    """

    reason = "not-reviewed"

    def __init__(self, words: str, *, path: str, fields: Mapping[str, str], doubts: Sequence[Doubt]) -> None:
        super().__init__(words)
        self.path, self.doubts = path, tuple(doubts)
        self.fields = {name: value for name, value in fields.items() if name not in ("form", "reviewed")}

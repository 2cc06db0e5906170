"""What is said when something goes wrong: a status, a code and a sentence, as a page or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bus.console import shield
from bus.console.asked import place_here
from bus.console.asking import HubError
from bus.console.common import Common
from bus.console.errors import AgainError, PageError, RefusedError
from bus.console.signing import HOME, address_asked, form_token, typed_of, words_of
from bus.errors import StoreError
from bus.languages import Language, marked
from bus.logs import logger
from schemas.errors import TocsinError

NO_PAGE, FAILED = marked("there is no such page"), marked("the page could not be made")
SAFE = marked("Nothing was changed, and nothing is lost.")
UNSIGNED = marked("Nothing is lost. The hub has signed nothing this time; what you have done here is kept.")
_SAFE: Mapping[str, str] = {
    "store-missing": marked(
        "Nothing is lost: the bus keeps what was said, and the hub reads it when it starts."
    ),
    "store-failed": marked("Nothing is lost: the bus keeps what was said."),
    "hub-silent": marked("Nothing is lost. If it was done, it is not done again."),
    "request-slow": marked("Nothing is lost. It may have been done: look before you send it again."),
    "store-slow": marked("Nothing is lost. Ask for less, or try again in a moment."),
    "page-missing": marked("Nothing was changed."),
    "too-many-requests": marked("Nothing is lost. What is open in other tabs stays as it is."),
}

_REFUSED: Mapping[str, int] = {
    "desk-role": 403,
    "desk-wall": 403,
    "session-ended": 403,
    "not-there": 404,
    "not-fresh": 403,
    "own-work": 403,
    "above-ceiling": 403,
    "approval-needed": 409,
    "approval-over": 409,
    "approval-there": 409,
    "approval-void": 409,
    "changed-lately": 409,
    "feed-ended": 404,
    "decided-already": 409,
    "digest-differs": 409,
    "draft-handed-on": 409,
    "not-last": 409,
    "last-administrator": 409,
    "person-exists": 409,
    "person-disabled": 409,
    "sign-in-refused": 403,
    "sign-in-wait": 403,
    "sign-in-locked": 403,
    "desk-full": 409,
}
"""The status of what a desk refuses; of everything else it is 400."""

log = logger()

_SENT_AGAIN = frozenset((401, 429, 503))
"""What is refused with these may be sent again as it is."""


class Wrong(msgspec.Struct, frozen=True):
    """What went wrong, to tell: the status, the code, the words in a language, the sentence by which its catalogue has them, what is safe."""

    status: int
    reason: str
    words: str
    key: str
    safe: str


class Failures:
    """What answers when something goes wrong."""

    def __init__(self, common: Common) -> None:
        """Take what all that answers has."""
        self._common = common

    async def failed(self, request: Request, exc: Exception) -> Response:
        """What went wrong, as a page or as JSON."""
        if isinstance(exc, AgainError):
            return self._again(request, exc)
        if not isinstance(exc, HTTPException | TocsinError):
            log.error("page_failed", path=_path_told(request), error=repr(exc))
        return self._said(request, wrong(exc, self._common.voice(request).say))

    async def refused(
        self, problem: PageError, scope: shield.Scope, receive: shield.Receive, send: shield.Send
    ) -> None:
        """Answer a request that the shield does not let through."""
        request = Request(scope, receive)
        response = self._said(request, wrong(problem, self._common.voice(request).say))
        await response(scope, receive, send)

    def _again(self, request: Request, problem: AgainError) -> Response:
        """What is to be looked at once more, with a form that sends the same again with a reason."""
        common = self._common
        html = common.renderer.page(
            "again.html", common.clock(), voice=common.voice(request), problem=problem,
            form=form_token(common.entrance.token(request)), hub=common.entrance.hub_name(),
        )  # fmt: skip
        return HTMLResponse(html, status_code=problem.status)

    def _said(self, request: Request, told: Wrong) -> Response:
        """What went wrong, in the language of who asks."""
        common, number = self._common, str(request.scope.get("tocsin.request", ""))
        if request.url.path.endswith(".json"):
            body = msgspec.json.encode({"reason": told.reason, "detail": told.words, "request": number})
            return Response(body, status_code=told.status, media_type="application/json")
        voice, fields = common.voice(request), typed_of(request)
        words, again = words_of(fields), told.status in _SENT_AGAIN or told.reason == "form-token"
        html = common.renderer.page(
            "error.html", common.clock(), voice=voice, words=told.words[:1].upper() + told.words[1:],
            is_translated=voice.say.knows(told.key), reason=told.reason, request=number,
            safe=voice.say.plain(told.safe), hub=common.entrance.hub_name(),
            words_kept=words, fields=fields if again and words else {},
            sent_to=address_asked(request), form=form_token(common.entrance.token(request)),
            again=place_here(request.url.path) if request.method == "GET" and told.status not in (403, 404) else HOME,
        )  # fmt: skip
        return HTMLResponse(html, status_code=told.status)


def wrong(exc: Exception, say: Language) -> Wrong:
    """What went wrong, in a language."""
    if isinstance(exc, PageError):
        words = say(exc.text, **exc.places) if exc.places else say.plain(exc.text)
        # A desk keeps what was done there before the hub was asked.
        safe = UNSIGNED if isinstance(exc, RefusedError) else _SAFE.get(exc.reason, SAFE)
        return Wrong(exc.status, exc.reason, words, exc.text, safe)
    if isinstance(exc, HTTPException):
        status, reason = exc.status_code, "page-missing" if exc.status_code == 404 else "request-malformed"
        key = NO_PAGE if exc.status_code == 404 else HTTPStatus(exc.status_code).phrase.lower()
    elif isinstance(exc, StoreError | HubError):
        status, reason, key = 503, exc.reason, str(exc)
    elif isinstance(exc, TocsinError):
        status, reason, key = _REFUSED.get(exc.reason, 400), exc.reason, str(exc)
    else:
        status, reason, key = 500, "page-failed", FAILED
    return Wrong(status, reason, say.plain(key), key, _SAFE.get(reason, SAFE))


def _path_told(request: Request) -> str:
    """The path for the log: that of a feed address is a secret."""
    return "/feed/" if request.url.path.startswith("/feed/") else request.url.path

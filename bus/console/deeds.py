"""What a form asks for is done, then its sender is led back; a refusal stands on the page of the form, with what was typed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bus.console import limits
from bus.console.asked import parameters
from bus.console.common import Common, base_of, filled
from bus.console.doing import Doing
from bus.console.errors import BadRequestError, SignedOutError, TooManyError
from bus.console.failures import wrong
from bus.console.page import Content, Deed, Done, Failed, Page
from bus.console.pages import PAGES
from bus.console.people import DeedError, Session, SignInError
from bus.console.rendering import frame_of
from bus.console.showing import Showing
from bus.console.signing import HOME, address_of, metered, sent_away, typed_of, words_of
from bus.desk import household
from bus.errors import StoreError

NOT_FRESH = "not-fresh"
"""The desk wants a password that was just given: who sent the form is led to the page for that, and back."""
_NOT_OFFERED = frozenset(("desk-role", "desk-wall", "session-ended"))
"""What is refused to somebody to whom its page shows no such form."""
_PAGE_AT: Mapping[str, Page] = {page.path: page for page in PAGES}


class Deeds:
    """What answers forms."""

    def __init__(self, common: Common, showing: Showing) -> None:
        """Take what all that answers has, and what shows pages."""
        self._common, self._showing = common, showing
        self._checks, self._words = limits.Meter(limits.CHECKS), limits.Meter(limits.WORDS)

    async def do(self, deed: Deed, request: Request) -> Response:
        """Do what a form asks for, then lead back to its page; a refusal is shown on that page, with what was typed."""
        common = self._common
        try:
            session, token = await common.entrance.session(request)
            if session is not None:
                metered(self._checks if deed.is_often else common.readers, token)
        except (StoreError, TooManyError):
            await self._keep_words(request)
            raise
        if session is None:
            if await self._keep_words(request):
                raise SignedOutError("you are signed out; sign in in another tab, then send it again here")
            return sent_away(request, as_json=False)
        # Before the time is read: who sends a form slowly, for as long as a request may take, would act at its beginning.
        fields = await common.entrance.form(request, token)
        doing = Doing(
            now=common.clock(), session=session, token=token, address=address_of(request), path=request.url.path,
            place=dict(request.path_params), given=parameters(request.query_params.multi_items()),
            fields=fields, voice=common.voice(request), reading=common.reading,
            people=common.people, incidents=common.incidents, hub=common.hub, rng=common.rng, origin=base_of(request),
        )  # fmt: skip
        page = _PAGE_AT.get(deed.on)
        try:
            done = await deed.work(doing)
        except (DeedError, SignInError, BadRequestError) as problem:
            if problem.reason == NOT_FRESH:
                stood = page or _PAGE_AT.get(deed.path.rpartition("/")[0])
                back = HOME if stood is None else filled(stood.path, request)
                return RedirectResponse(f"/fresh?next={quote(back, safe='')}", status_code=303)
            if page is None or problem.reason in _NOT_OFFERED:
                raise
            return await self._refused(deed, page, doing, request, session, problem)
        if isinstance(done, str):
            done = Done(address=done)
        if isinstance(done, Content):
            if not deed.template:
                return Response(msgspec.json.encode(done), media_type="application/json")
            frame = await doing.look(frame_of)
            return self._showing.framed(
                deed.template, done, frame, doing.voice, session, token, path=deed.at, here=deed.at, twin=f"{deed.at}.json"
            )  # fmt: skip
        if done.once is not None and page is not None:
            content, frame = await self._showing.content(page, request, session, token, doing.given)
            return self._showing.html(page, request, session, token, content, frame, once=done.once)
        if done.token:
            return common.entrance.entered(request, done.token, done.address or HOME)
        return RedirectResponse(done.address or HOME, status_code=303)

    async def _keep_words(self, request: Request) -> bool:
        """Whether somebody has written words in a form that cannot be taken now: they are read, so that the page of the error has them.

        To read a form costs more than to refuse it, so a few are read for one address.
        """
        if request.headers.get("sec-fetch-site") != "same-origin" or request.url.path.endswith(".json"):
            return False
        if self._words.wait(household(address_of(request)), time.monotonic()):
            return False
        with suppress(BadRequestError):
            await self._common.entrance.form(request, self._common.entrance.token(request))
        return bool(words_of(typed_of(request)))

    async def _refused(
        self, deed: Deed, page: Page, doing: Doing, request: Request, session: Session, problem: Exception
    ) -> Response:
        """The page of a form that was refused."""
        told = wrong(problem, doing.voice.say)
        fields = {
            name: value
            for name, value in doing.fields.items()
            if name != "form" and not name.startswith("password")
        }
        failed = Failed(
            form=deed.form, words=told.words[:1].upper() + told.words[1:], reason=told.reason, fields=fields,
            is_translated=doing.voice.say.knows(told.key),
        )  # fmt: skip
        content, frame = await self._showing.content(page, request, session, doing.token, doing.given)
        return self._showing.html(
            page, request, session, doing.token, content, frame, failed=failed, status=told.status
        )

"""A list as a file, to who is signed in, and to a program that has a feed address; each is on record before it is given."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from bus.console import limits
from bus.console.asked import Asked, parameters, parameters_of
from bus.console.common import Common, base_of
from bus.console.errors import NotHereError
from bus.console.forms import File, Form, file_as, link_of
from bus.console.incidents import Kept
from bus.console.page import Page
from bus.console.pages import LISTS
from bus.console.people import Looked, Session
from bus.console.signing import address_of, metered, sent_away
from bus.errors import BusError, StoreError


class Lists:
    """What gives lists as files."""

    def __init__(self, common: Common) -> None:
        """Take what all that answers has."""
        self._common = common
        self._files = limits.Meter(limits.FILES)
        self._feeds = limits.Meter(limits.FEED)

    async def give(self, page: Page, form: Form, request: Request) -> Response:
        """A list in another form, as a file; that is put on record before it is given."""
        session, token = await self._common.entrance.session(request)
        if session is None:
            return sent_away(request, as_json=False)
        metered(self._files, token)
        session.viewer.check_may(page.action)
        now = self._common.clock()
        asked = parameters(request.query_params.multi_items())
        file = await self._listed(page, form, session, asked, now, base_of(request))
        exported = Looked(how="exported", words=file.words)
        await self._common.people.looked(token, now, address_of(request), exported)
        return _attached(file)

    async def feed(self, request: Request) -> Response:
        """A list for a program that has a feed address; its use is put on record first."""
        secret, _, ending = request.path_params["file"].partition(".")
        now = self._common.clock()
        try:
            fed = await self._common.people.feed(secret, now, address_of(request))
        except BusError:
            self._common.entrance.counted(request)  # one that stands has a rate of its own
            raise
        if not fed.path.endswith(f".{ending}") or fed.path not in LISTS:
            raise NotHereError("there is no such feed address, or it has ended", reason="feed-ended")
        page, form = LISTS[fed.path]
        metered(self._feeds, str(fed.n))
        asked = parameters_of(fed.query)
        return _attached(
            await self._listed(page, form, fed.session, asked, now, base_of(request), is_secret=True)
        )

    async def _listed(
        self,
        page: Page,
        form: Form,
        session: Session,
        asked_for: Mapping[str, tuple[str, ...]],
        now: dt.datetime,
        base: str,
        *,
        is_secret: bool = False,
    ) -> File:
        reading, kept = self._common.reading, await self._kept(form, session, now)

        def question(db: sqlite3.Connection) -> File:
            asked = Asked(
                db=db, now=now, shelf=reading.shelf, registry=reading.shelf.registry(), session=session,
                path=link_of(form, page), place={}, given={**asked_for, **form.always}, most=form.most, incidents=kept,
            )  # fmt: skip
            return file_as(form, page, page.look(asked), asked, base, is_secret=is_secret)

        return await reading.ask(question)

    async def _kept(self, form: Form, session: Session, now: dt.datetime) -> Kept | None:
        """The incidents that a form is made from."""
        if not form.incidents:
            return None
        try:
            return await self._common.incidents.of(session.viewer.clearance, now, first=True)
        except StoreError:
            if form.incidents == "needed":
                raise
            return None


def _attached(file: File) -> Response:
    """A list as a file to keep; the address of those that follow is in a header, too (RFC 8288)."""
    headers = {"content-disposition": f'attachment; filename="{file.name}"'}
    if file.next:
        headers["link"] = f'<{file.next}>; rel="next"'
    return Response(file.body, media_type=file.kind, headers=headers)

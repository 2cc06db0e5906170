"""A page, as HTML or as its twin in JSON: what it says, its frame, and that it is looked at, on record."""

from __future__ import annotations

import base64
import datetime as dt
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bus import desk
from bus.console.asked import Asked, parameters
from bus.console.asking import HubError
from bus.console.common import Common, filled
from bus.console.errors import EmbargoError
from bus.console.forms import Form, link_of
from bus.console.incidents import Kept
from bus.console.navigation import home_of, navigation_of
from bus.console.page import Bytes, Content, Failed, Page, Present
from bus.console.pages import FIRST
from bus.console.people import Session
from bus.console.rendering import Frame, frame_of
from bus.console.signing import HOME, address_of, form_token, metered, sent_away
from bus.console.voices import Voice
from bus.desk import Action, four_eyes
from bus.errors import StoreError
from bus.hub.acting import Outcome
from bus.hub.acting import Request as Wanted


class AtDesk(NamedTuple):
    """What the desk tells for a page: the answer to its question, drafts that wait, what is put aside and what came back."""

    told: object = None
    waiting: tuple[four_eyes.Waiting, ...] = ()
    aside: frozenset[tuple[str, str]] = frozenset()
    back: frozenset[tuple[str, str]] = frozenset()


class Showing:
    """What shows pages to who is signed in."""

    def __init__(self, common: Common) -> None:
        """Take what all that answers has."""
        self._common = common

    async def show(self, page: Page, request: Request, *, as_json: bool) -> Response:
        """A page, or its twin; who is not signed in is sent to sign in."""
        session, token = await self._common.entrance.session(request)
        if session is None:
            return sent_away(request, as_json=as_json)
        metered(self._common.readers, token)
        if page.path == HOME and not as_json and (home := home_of(session.viewer)) != HOME:
            return RedirectResponse(home, status_code=303)
        given = parameters(request.query_params.multi_items())
        content, frame = await self.content(page, request, session, token, given, as_json=as_json)
        if as_json:
            return Response(msgspec.json.encode(content), media_type="application/json")
        if isinstance(content, Bytes):
            return _attached(content)
        return self.html(page, request, session, token, content, frame)

    async def content(
        self,
        page: Page,
        request: Request,
        session: Session,
        token: str,
        given: Mapping[str, tuple[str, ...]],
        *,
        as_json: bool = False,
    ) -> tuple[Content, Frame]:
        """What a page says to who asks, and its frame; that it is looked at is on record then.

        Bytes that leave as a file obey an embargo, as lists in files do (`forms.under_embargo`); their twin, by which a browser checks
        them, is read on the page alone.

        Raises:
            DeedError: `desk-role`, `desk-wall`: it is no page for this person.
            EmbargoError: it would leave as a file before its time.
        """
        session.viewer.check_may(page.action)
        reading, people = self._common.reading, self._common.people
        now, registry = self._common.clock(), reading.shelf.registry()
        voice = self._common.voice(request)
        kept, at_desk = await self._beside(page, session, token, request, now, as_json=as_json)

        def question(db: sqlite3.Connection) -> tuple[Content, Frame]:
            asked = Asked(
                db=db, now=now, shelf=reading.shelf, registry=registry, session=session,
                path=filled(page.path, request), place=dict(request.path_params), given=given,
                incidents=kept, desk=at_desk.told, waiting=at_desk.waiting,
                aside=at_desk.aside, back=at_desk.back, voice=voice,
            )  # fmt: skip
            return page.look(asked), frame_of(asked)

        content, frame = await reading.ask(question)
        if not as_json and isinstance(content, Bytes) and content.embargo is not None:
            raise EmbargoError(
                "it is under embargo until %(time)s: its readers see it here, and no file of it is given before",
                time=f"{content.embargo:%Y-%m-%d %H:%M} UTC",
            )
        if (beside := page.beside(content)) is not None:
            content = await people.told(token, now, address_of(request), beside) or content
        if (wanted := page.of_hub(content)) is not None:
            present = Present(clearance=session.viewer.clearance, voice=voice, registry=registry, now=now)
            content = page.heard(content, await self._heard(wanted), present)
        if (looked := page.looked(content)) is not None:
            await people.looked(token, now, address_of(request), looked)
        return content, frame

    def html(
        self,
        page: Page,
        request: Request,
        session: Session,
        token: str,
        content: Content,
        frame: Frame,
        *,
        failed: Failed | None = None,
        once: object = None,
        status: int = 200,
    ) -> Response:
        """A page as HTML; with a form that was refused, or with what is shown once."""
        query = f"?{request.url.query}" if request.url.query else ""
        return self.framed(
            page.template, content, frame, self._common.voice(request), session, token, path=page.path,
            here=filled(page.path, request) + query, twin=filled(page.twin, request) + query,
            files=_files(page, request), failed=failed, once=once, status=status,
        )  # fmt: skip

    def framed(
        self, template: str, content: Content, frame: Frame, voice: Voice, session: Session, token: str,
        *, path: str, here: str, twin: str, files: object = (), failed: Failed | None = None, once: object = None, status: int = 200,
    ) -> Response:  # fmt: skip
        """A page in its frame, for somebody who is signed in."""
        common, entrance = self._common, self._common.entrance
        html = common.renderer.page(
            template, frame.now, frame.zone, voice, page=content, frame=frame, viewer=session.viewer,
            path=path, here=here, twin=twin, files=files, form=form_token(token), is_signed_in=True, key=common.rng(16).hex(),
            failed=failed, once=once, needs_password=common.people.needs_password, account=entrance.account,
            has_ways=any(way.path for way in entrance.ways), **navigation_of(session.viewer),
        )  # fmt: skip
        return HTMLResponse(html, status_code=status)

    async def _beside(
        self, page: Page, session: Session, token: str, request: Request, now: dt.datetime, *, as_json: bool
    ) -> tuple[Kept | None, AtDesk]:
        """(the incidents that are kept for this reader, what the desk tells); incidents are begun on every page."""
        if not session.viewer.may(Action.LOOK):
            return None, AtDesk()
        try:
            first = page.has_incidents and as_json
            kept = await self._common.incidents.of(session.viewer.clearance, now, first=first)
        except StoreError:
            kept = None  # the page says so by itself
        question = page.of_desk(request.path_params)
        if page.has_incidents and kept is not None:
            question = page.desk(kept, str(request.path_params.get("id", "")))
        since = now.timestamp() - FIRST.total_seconds() if session.seen is None else session.seen.at

        def all_of_it(db: sqlite3.Connection, act: desk.Act) -> AtDesk:
            return AtDesk(
                told=None if question is None else question(db, act),
                waiting=four_eyes.waiting(db, act),
                aside=desk.snoozes.aside(db, act),
                back=desk.snoozes.back(db, act, since),
            )

        told = await self._common.people.told(token, now, address_of(request), all_of_it)
        return kept if page.has_incidents else None, told or AtDesk()

    async def _heard(self, wanted: Wanted) -> Outcome:
        """What the hub answers; that it does not is an answer, too, for the page is shown all the same."""
        try:
            return await self._common.hub.ask(wanted)
        except HubError as problem:
            return Outcome(state="refused", reason=problem.reason, notes=(str(problem),))


def _attached(content: Bytes) -> Response:
    """Bytes as a file to keep: no browser shows them as a page."""
    payload = base64.urlsafe_b64decode(content.payload + "=" * (-len(content.payload) % 4))
    named = "".join(each if each.isalnum() or each in "-." else "-" for each in content.file)
    headers = {"content-disposition": f'attachment; filename="{named}"'}
    return Response(payload, media_type="application/octet-stream", headers=headers)


def _files(page: Page, request: Request) -> list[tuple[Form, str]]:
    """The other forms of this page, each with its address; from the first row on."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    query = f"?{urlencode(kept)}" if kept else ""
    return [(form, link_of(form, page) + query) for form in page.forms]

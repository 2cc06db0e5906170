"""The console as an application of ASGI: its routes, its stream of events, and what is done beside."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bus.console import shield
from bus.console.asked import whole_of
from bus.console.asking import NOBODY
from bus.console.common import Common, common_of
from bus.console.deeds import Deeds
from bus.console.doing import Hub
from bus.console.errors import NotHereError
from bus.console.failures import Failures
from bus.console.forms import link_of
from bus.console.lists import Lists
from bus.console.live import Live
from bus.console.pages import DEEDS, PAGES, end_worsened, sign_receipts
from bus.console.people import People
from bus.console.personal import Personal
from bus.console.reading import Reading
from bus.console.rendering import asset
from bus.console.showing import Showing
from bus.console.signing import Walls, Way, address_of, metered
from bus.console.voices import Voices
from bus.desk import Action
from bus.errors import BusError
from bus.logs import logger
from bus.tasks import in_background
from schemas.errors import TocsinError

UPKEEP_S = 10.0

log = logger()


def app(
    reading: Reading,
    people: People,
    clock: Callable[[], dt.datetime],
    rng: Callable[[int], bytes] = secrets.token_bytes,
    *,
    hub: Hub = NOBODY,
    hosts: Collection[str] = ("localhost", "127.0.0.1"),
    is_behind: bool = False,
    ways: Sequence[Way] = (),
    voices: Voices | None = None,
) -> shield.Shield:
    """The console.

    Args:
        reading: the hub's store.
        people: who may look.
        clock: the present, aware.
        rng: random bytes, for ids and tokens.
        hub: what signs.
        hosts: the names that this console has, with their ports.
        is_behind: whether a proxy with TLS on this machine asks for visitors.
        ways: ways to sign in beside the password.
        voices: the languages that are offered; without, those that have a catalogue.
    """
    common = common_of(reading, people, clock, rng, hub, ways, voices)
    console, showing, lists = Console(common), Showing(common), Lists(common)
    deeds, failures = Deeds(common, showing), Failures(common)
    routes = [
        *common.entrance.routes(),
        *Walls(people, common.entrance, clock).routes(),
        Route("/assets/{name:path}", console.asset, methods=["GET"]),
        Route("/healthz", console.health, methods=["GET"]),
        Route("/feed/{file}", lists.feed, methods=["GET"]),
    ]
    for page in PAGES:
        routes.append(Route(page.twin, partial(showing.show, page, as_json=True), methods=["GET"]))
        routes += [
            Route(link_of(form, page), partial(lists.give, page, form), methods=["GET"])
            for form in page.forms
        ]
        routes.append(Route(page.path, partial(showing.show, page, as_json=False), methods=["GET"]))
    routes += [Route(deed.path, partial(deeds.do, deed), methods=["POST"]) for deed in DEEDS]
    failed: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
        HTTPException: failures.failed,
        TocsinError: failures.failed,
        Exception: failures.failed,
    }
    inner = Starlette(routes=routes, exception_handlers=failed, lifespan=console.lifespan)
    return shield.Shield(
        inner=console.with_events(inner),
        hosts=frozenset(hosts),
        rng=rng,
        told=failures.refused,
        is_behind=is_behind,
    )


class Console:
    """What answers beside pages and forms, and what is done without a request; made by `app`."""

    def __init__(self, common: Common) -> None:
        """Take what all that answers has."""
        self._common = common
        self._live = Live(common.reading, common.clock)
        self._personal = Personal(common.reading, common.people, common.clock)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Tell of what comes for as long as the application runs."""
        async with (
            in_background(self._live.run(), "live events"),
            in_background(self._upkeep(), "upkeep"),
        ):
            yield
        await self._common.incidents.close()

    async def _upkeep(self) -> None:
        """Have receipts signed that could not be before, and bring back what was put aside and has become graver."""
        common, tried = self._common, 0
        while True:
            await asyncio.sleep(UPKEEP_S)
            try:
                await end_worsened(common.people, common.reading, common.clock())
                tried = await sign_receipts(common.people, common.hub, tried)
            except BusError as problem:
                log.warning("upkeep_failed", reason=problem.reason)

    async def asset(self, request: Request) -> Response:
        """A file of the console itself; the same for everybody, so no session is needed."""
        packed = "gzip" in request.headers.get("accept-encoding", "")
        found = asset(request.path_params["name"], packed=packed)
        if found is None:
            raise NotHereError("there is no such file")
        headers = {
            "content-type": found.kind,
            "cache-control": shield.OF_A_RELEASE,
            "vary": "accept-encoding",
        }
        # Pages are never packed: their length would tell what stands in them (ADR-073).
        if found.is_packed:
            headers["content-encoding"] = "gzip"
        return Response(found.body, headers=headers)

    async def health(self, _: Request) -> Response:
        """Whether it answers; says nothing of the store."""
        return Response(b"ok\n", media_type="text/plain")

    def with_events(self, inner: shield.App) -> shield.App:
        """The application with the stream of events, which is answered without a wrapper around each write."""
        common = self._common

        async def outer(scope: shield.Scope, receive: shield.Receive, send: shield.Send) -> None:
            if scope["type"] != "http" or scope["path"] != "/events" or scope["method"] != "GET":
                await inner(scope, receive, send)
                return
            request = Request(scope, receive)
            session, token = await common.entrance.session(request)
            if session is None or not session.viewer.may(Action.SEE_WALL):
                await Response(b"", status_code=204)(
                    scope, receive, send
                )  # 204: a browser does not come back
                return
            metered(common.readers, token)
            after = request.headers.get("last-event-id") or request.query_params.get("after", "")
            clearance = session.viewer.clearance

            async def still() -> bool:
                standing = await common.people.standing(token, common.clock(), address_of(request))
                return standing is not None and standing.viewer.clearance == clearance

            mine = partial(self._personal.alerts, session.viewer, token, address_of(request))
            await self._live.stream(clearance, whole_of(after), scope, receive, send, still, token, mine)

        return outer

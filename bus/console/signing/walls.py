"""Wall screens: a browser becomes one, with the key that a duty officer was given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bus import desk
from bus.console.people import People, SignInError
from bus.console.signing import cookies
from bus.console.signing.entrance import Entrance
from bus.console.signing.requests import address_of


class Walls:
    """The page on which a screen becomes a wall."""

    def __init__(self, people: People, entrance: Entrance, clock: Callable[[], dt.datetime]) -> None:
        """Take who may look, the entrance and the present."""
        self._people, self._entrance, self._clock = people, entrance, clock

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route("/wall/begin", self.page, methods=["GET"]),
            Route("/wall/begin", self.begin, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """A form with the key of the address; opening the address alone uses no key up."""
        return self._page(request, request.query_params.get("key", ""), None)

    def _page(self, request: Request, key: str, problem: SignInError | None) -> Response:
        return self._entrance.page(request, "wall-begin.html", problem, key=key[:200])

    async def begin(self, request: Request) -> Response:
        """Begin the session of a wall screen, in place of the session of this browser, if it has one."""
        self._entrance.metered_attempt(request)
        form = await self._entrance.form(request, cookies.read(request, cookies.FORM))
        key = form.get("key", "")
        try:
            token = await self._people.begin_wall(key, self._clock(), address_of(request))
        except SignInError as problem:
            return self._page(request, key, problem)
        response = RedirectResponse("/wall", status_code=303)
        cookies.put(response, request, cookies.SESSION, token, lasts_s=int(desk.sessions.WALL_S))
        return response

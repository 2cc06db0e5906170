"""What all that answers a request has: the store, the desk, the hub that signs, the present, and what shows pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import quote

import msgspec
from starlette.requests import Request

from bus.console import limits
from bus.console.asking import NOBODY
from bus.console.doing import Hub
from bus.console.incidents import Incidents
from bus.console.people import People
from bus.console.reading import Reading
from bus.console.rendering import Renderer
from bus.console.signing import Entrance, Way, voice_of
from bus.console.voices import Voice, Voices


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What all that answers has.

    Attributes:
        reading: the hub's store.
        people: who may look.
        clock: the present, aware.
        rng: random bytes, for ids and tokens.
        hub: what signs.
        renderer: what shows pages.
        entrance: who sends a request.
        incidents: those that are kept.
        readers: how often one session asks for a page or sends a form.
    """

    reading: Reading
    people: People
    clock: Callable[[], dt.datetime]
    rng: Callable[[int], bytes]
    hub: Hub
    renderer: Renderer
    entrance: Entrance
    incidents: Incidents
    readers: limits.Meter

    def voice(self, request: Request) -> Voice:
        """The language of who asks."""
        return voice_of(request, self.renderer.voices)


def common_of(
    reading: Reading,
    people: People,
    clock: Callable[[], dt.datetime],
    rng: Callable[[int], bytes],
    hub: Hub = NOBODY,
    ways: Sequence[Way] = (),
    voices: Voices | None = None,
) -> Common:
    """What all that answers has, from what `app` takes."""
    renderer = Renderer(voices)
    return Common(
        reading=reading, people=people, clock=clock, rng=rng, hub=hub, renderer=renderer,
        entrance=Entrance(people, renderer, clock, rng, partial(_name_of_hub, reading), ways),
        incidents=Incidents(reading, people.decisions), readers=limits.Meter(limits.PAGES),
    )  # fmt: skip


def _name_of_hub(reading: Reading) -> str:
    """What the hub of a store is called."""
    authority = reading.shelf.authority
    record = reading.shelf.registry().document.authorities.get(authority)
    return record.name if record is not None else authority


def base_of(request: Request) -> str:
    """The address of this console, as it was asked: the shield has checked the host."""
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


def filled(path: str, request: Request) -> str:
    """A path with the names in it as the request has them."""
    for name, value in request.path_params.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return path

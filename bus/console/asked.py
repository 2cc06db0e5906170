"""What a page is asked: by whom, when, with which parameters of its address. Pure."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping
from functools import cached_property
from urllib.parse import parse_qsl, urlencode

import msgspec

from bus.console import places
from bus.console.errors import BadRequestError
from bus.console.incidents import Kept
from bus.console.people import Session, Viewer
from bus.console.reading import Shelf
from bus.console.voices import Voice, english
from bus.desk.four_eyes import Waiting
from bus.hub import CountryPhase, calendars, elections
from bus.hub.picture import events
from bus.languages import Language
from bus.policy import Clearance, narrowest
from bus.sheets import Sayings
from bus.storage import lease
from bus.trust import VerifiedRegistry
from schemas.vocab import Tlp

MOST_PARAMETERS = 40
MOST_FIELDS = 5500
"""Of a form: that of a draft with as many rows as may be is the longest."""
MOST_VALUE = 500
MOST_NEW = 2000
"""So many events are looked through for what is new."""
Given = Mapping[str, tuple[str, ...]]
"""The parameters of a query, each with its values in their order."""


def parameters(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """The parameters of a query.

    Raises:
        BadRequestError: there are more, or longer ones, than any page has.
    """
    given: dict[str, tuple[str, ...]] = {}
    for n, (name, value) in enumerate(pairs, 1):
        if n > MOST_PARAMETERS or max(len(name), len(value)) > MOST_VALUE or "\0" in value:
            raise BadRequestError("the address has more than this page takes")
        given[name] = (*given.get(name, ()), value)
    return given


def parameters_of(query: str) -> dict[str, tuple[str, ...]]:
    """The parameters of a query as it stands in an address, that a form has sent or the desk has kept.

    Raises:
        BadRequestError: as `parameters`.
    """
    try:
        return parameters(parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS))
    except ValueError:
        raise BadRequestError("the address has more than this page takes") from None


def fields_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The fields of a form; one that is sent several times, as the boxes of one list are, has its values with commas."""
    sent: dict[str, list[str]] = {}
    for name, value in pairs:
        sent.setdefault(name, []).append(value)
    return {name: ", ".join(values) for name, values in sent.items()}


def query_of(given: Given) -> str:
    """Parameters as the query of an address."""
    return urlencode([(name, each) for name, values in given.items() for each in values])


def whole_of(text: str) -> int | None:
    """A whole number from a form or an address, of 1 to 15 digits; None where the text is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def is_here(wanted: str) -> bool:
    """Whether it is a place on this console."""
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return is_path and wanted.isprintable() and len(wanted) < 2000


def place_here(wanted: str, default: str = "/") -> str:
    """Where to go on: a place on this console, whatever was asked for; never back to signing in."""
    return wanted if is_here(wanted) and not wanted.startswith(("/sign-", "/fresh")) else default


def clearance_of_hub(registry: VerifiedRegistry, authority: str) -> Clearance:
    """What a hub itself may read: nobody there sees more."""
    prefixes = registry.read_prefixes(authority)
    ceiling = narrowest(tlp for _, tlp, _ in prefixes) or Tlp.CLEAR
    return Clearance(ceiling, frozenset(audience for _, _, audience in prefixes))


class Asked(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A request for a page, inside one snapshot of the store.

    Attributes:
        db: the snapshot.
        now: the present.
        shelf: what pages are made from beside the store.
        registry: the registry as it stands.
        session: who asks.
        path: the path of the page.
        place: the parameters in the path, as `id`.
        given: the parameters of the query, each with its values in their order.
        incidents: the incidents that are kept for this reader, on pages that want them.
        desk: what the desk has told, on pages that ask it.
        waiting: drafts that wait for the reader: to be approved, or to be published.
        aside: what is put aside at the desk: its sort and its name there.
        back: what came back since the reader last looked, in the same way.
        voice: the language of who asks.
        upto: nothing narrower than this marking is wanted; None for all that the reader may read.
        most: so many rows of a list are wanted; 0 for as many as its page shows.
    """

    db: sqlite3.Connection
    now: dt.datetime
    shelf: Shelf
    registry: VerifiedRegistry
    session: Session
    path: str
    place: Mapping[str, str]
    given: Given
    upto: Tlp | None = None
    most: int = 0
    incidents: Kept | None = None
    desk: object = None
    waiting: tuple[Waiting, ...] = ()
    aside: frozenset[tuple[str, str]] = frozenset()
    back: frozenset[tuple[str, str]] = frozenset()
    voice: Voice = msgspec.field(default_factory=english)

    @property
    def say(self) -> Language:
        """The sentences of pages, in the language of who asks."""
        return self.voice.say

    @property
    def words(self) -> Sayings:
        """The words of the wire, in the language of who asks."""
        return self.voice.words

    @property
    def viewer(self) -> Viewer:
        """The person who asks."""
        return self.session.viewer

    @property
    def clearance(self) -> Clearance:
        """How much that person may read, or wants to see: the page may be asked for up to a wider marking."""
        mine = self.viewer.clearance
        return mine if self.upto is None else mine.within(Clearance(self.upto, mine.audiences))

    @property
    def hub(self) -> str:
        """The authority whose console it is."""
        return self.shelf.authority

    @cached_property
    def country(self) -> str:
        """The country of the hub."""
        return self.registry.authority(self.hub).country

    @cached_property
    def calendars(self) -> tuple[elections.Calendar, ...]:
        """The calendars that count and that the reader may read."""
        every = ((each, each.row.bulletin) for each in calendars(self.db))
        return tuple(each for each, b in every if self.clearance.sees(b.tlp, b.audience))

    @cached_property
    def phases(self) -> Mapping[str, CountryPhase]:
        """The phase of each country that has a calendar."""
        return {each.country: each for each in elections.by_country(self.calendars, self.now)}

    @cached_property
    def zone(self) -> dt.tzinfo:
        """The local time of the hub: that of a calendar of its country, UTC where there is none."""
        own = next((each for each in self.calendars if each.country == self.country), None)
        return dt.UTC if own is None else elections.zone_of(own.body.tz)

    @cached_property
    def is_blind(self) -> bool:
        """Whether nobody reads the bus into the store: then no channel is judged."""
        return not lease.is_held(self.db, self.now.timestamp())

    @cached_property
    def new_rows(self) -> frozenset[int]:
        """The rows of the bulletins that have come since the reader last looked; none where that is not known."""
        cursor = self.session.seen
        if cursor is None:
            return frozenset()
        found = events.lately(self.db, self.clearance, after=cursor.n, most=MOST_NEW)
        return frozenset(each.row for each in found.events if each.what in (events.NEW, events.UPDATED))

    def first(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next(iter(self.given.get(name, ())), default)

    def address(self, path: str | None = None, **changes: object) -> str:
        """The address of this page, or of another, with some parameters changed; None leaves one out."""
        return self.changed(changes, path)

    def changed(self, changes: Mapping[str, object], path: str | None = None) -> str:
        """As `address`, with the changes by name."""
        given: dict[str, tuple[str, ...]] = dict(self.given) if path is None else {}
        for name, value in changes.items():
            if value is None:
                given.pop(name, None)
            else:
                given[name] = tuple(map(str, value)) if isinstance(value, tuple | list) else (str(value),)
        query = query_of(given)
        where = self.path if path is None else path
        return f"{where}?{query}" if query else where

    def elsewhere(self, path: str) -> str:
        """The address of another page with the same parameters."""
        return self.changed(self.given, path)

    def country_name(self, code: str) -> str:
        """What a country is called; its code where the map does not know it."""
        return self.say.plain(places.name_of(code))

    def name_of(self, authority: str) -> str:
        """What an authority is called; its id where the registry does not know it."""
        record = self.registry.document.authorities.get(authority)
        return record.name if record is not None else authority

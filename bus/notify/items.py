"""For whom is looked, and what has happened as an item: made of a bulletin, of an alarm, or of a word of one's own. Reads only."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable

import msgspec

from bus import threads
from bus.hub import elections, picture
from bus.hub.clocks import ACKNOWLEDGEMENT
from bus.notify.deciding import is_nearly_due
from bus.notify.shape import Item, Own, Settings, Sort
from bus.policy import Clearance, narrowest
from bus.trust import VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.elections import coarse
from schemas.errors import SchemaError, TocsinError
from schemas.subject import Channel
from schemas.vocab import AttributionRule, RefRel, Status, Tlp


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """For whom is looked.

    Attributes:
        settings: the rules.
        own: who is told.
        registry: as it stands now; None where it does not stand.
        audiences: what the identity reads.
    """

    settings: Settings
    own: Own
    registry: VerifiedRegistry | None
    audiences: frozenset[str]

    @property
    def clearance(self) -> Clearance:
        """The widest that any rule has."""
        ceiling = narrowest(rule.ceiling for rule in self.settings.rules.values()) or Tlp.CLEAR
        return Clearance(ceiling, self.audiences)


def asking_of(settings: Settings, authority: str, registry: VerifiedRegistry) -> Asking:
    """For whom is looked, by the settings and the registry.

    Raises:
        TrustError: `unknown-authority`.
    """
    country = registry.authority(authority).country
    known = registry.document.authorities
    mine = {authority, *(name for name, each in known.items() if each.country == country)}
    audiences = frozenset(audience for _, _, audience in registry.read_prefixes(authority))
    own = Own(authority=authority, country=country, channels_of=frozenset(settings.own or mine))
    return Asking(settings=settings, own=own, registry=registry, audiences=audiences)


def own_word(sort: Sort, text: str, now: dt.datetime) -> Item:
    """What this program says by itself: of the registry, or of what it missed."""
    return Item(sort=sort, at=now, about=str(sort), tlp=Tlp.CLEAR, priority="p1", headline=text)


def item_of(
    db: sqlite3.Connection,
    asking: Asking,
    sort: Sort,
    at: dt.datetime,
    line: picture.Line,
    b: Bulletin,
    now: dt.datetime,
) -> Item:
    """A bulletin as an item, as it stands now."""
    election = None if b.election is None else elections.home(b.election.id)
    during = b.election is not None and coarse(b.election.phase) == "during"
    return Item(
        sort=sort,
        at=at,
        about=line.id,
        tlp=Tlp(line.tlp),
        audience=line.audience,
        priority=line.priority,
        row=line.row,
        issuer=line.issuer,
        country=line.country,
        kind=line.kind,
        headline=line.headline,
        is_named=b.handling.attribution is not AttributionRule.MUST_NOT,
        incident=line.incident,
        thread=_thread(db, b),
        areas=line.areas,
        election_country=election,
        is_vote=during or (line.priority == "p2" and _is_vote(db, asking.own.country, now)),
        is_exercise=b.status is Status.EXERCISE,
        is_over=line.state != "in-force",
    )


def nearly_due(owed: Iterable[picture.Owed], now: dt.datetime) -> list[picture.Owed]:
    """Of what is owed, the acknowledgements of which no more than a quarter of their time is left."""
    return [
        each for each in owed if each.rule == ACKNOWLEDGEMENT and is_nearly_due(each.start, each.due, now)
    ]


def with_late(db: sqlite3.Connection, asking: Asking, item: Item, now: dt.datetime) -> Item:
    """A bulletin of which a clock has become late, with when that was due; None of one that is late no more, or not for the rules."""
    if asking.registry is None:
        return item
    found = picture.owed_by(db, asking.clearance, now, asking.registry, asking.own.authority, [item.row])
    due = max((each.due for each in found if each.standing == "late"), default=None)
    return msgspec.structs.replace(item, due=due)


def _is_vote(db: sqlite3.Connection, country: str, now: dt.datetime) -> bool:
    return coarse(elections.present_phase(db, country, now)) == "during"


def _thread(db: sqlite3.Connection, b: Bulletin) -> str | None:
    """The first version of the thread of a bulletin, or what it refers to; None where it refers to nothing."""
    if not b.references:
        return None
    if any(ref.rel is RefRel.SUPERSEDES for ref in b.references):
        members = threads.in_thread(db, threads.Key(b.id, b.issuer.id, str(b.status)))
        if members:
            return members[-1].id
    return b.references[0].id


def alarm_of(what: str, reason: str, name: str, at: dt.datetime, asking: Asking) -> Item | None:
    """An alarm of a channel, or its end, as an item."""
    sort = Sort.CHANNEL if what == picture.events.SILENT else Sort.HEARD
    try:
        channel = Channel.parse(name)
    except SchemaError:  # it is about this hub itself
        return Item(
            sort=sort,
            at=at,
            about=name,
            tlp=Tlp.CLEAR,
            priority="p1",
            issuer=asking.own.authority,
            country=asking.own.country,
            kind=reason,
        )
    return Item(
        sort=sort,
        at=at,
        about=name,
        tlp=channel.tlp,
        audience=channel.audience,
        priority="p1" if reason != "silent" or channel.issuer in asking.own.channels_of else "p2",
        issuer=channel.issuer,
        country=country_of(asking, channel.issuer),
        kind=reason,
        is_exercise=channel.status is Status.EXERCISE,
    )


def country_of(asking: Asking, authority: str) -> str:
    """The country of an authority; empty where it is not known."""
    if asking.registry is None:
        return ""
    try:
        return asking.registry.authority(authority).country
    except TocsinError:
        return ""

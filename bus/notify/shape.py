"""What people are told of, and by which rules and channels: the structs of this room. Pure."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

import msgspec

from bus.filters import Selection
from schemas.vocab import Tlp

Network = IPv4Network | IPv6Network


class Sort(StrEnum):
    """What has happened."""

    BULLETIN = "bulletin"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    CHANNEL = "channel-alarm"
    HEARD = "channel-well"
    TRUST = "trust-lost"
    DUE = "acknowledgement-due"
    LATE = "clock-late"
    APPROVAL = "approval-asked"
    MISSED = "missed"


THIS_HUB = "-"
"""Where a channel stands, for an alarm about this hub itself."""
OF_BULLETINS = frozenset({Sort.BULLETIN, Sort.WITHDRAWN, Sort.RESTORED, Sort.DUE, Sort.LATE})


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that has happened, with what it is decided by and told with.

    Attributes:
        sort: what has happened.
        at: when.
        about: the id of the bulletin or draft, or the name of the channel.
        tlp: its marking; of a channel, that of what is said on it.
        audience: to whom it is said; empty of what is about no bulletin.
        priority: `p1` to `p4`.
        row: of the bulletin, in the hub's store.
        issuer, country, kind, headline: of the bulletin; of an alarm whose channel it is, and its reason as `kind`.
        is_named: whether its issuer may be named to others (`handling.attribution`).
        incident: the id of its incident.
        thread: the first version of its thread, or the first bulletin that it refers to.
        areas: the countries that it is about.
        election_country: the country of its election, `EU` of the Union's.
        is_vote: whether that election, or one of the own country, is being voted in.
        is_exercise: whether it is said in an exercise.
        is_over: whether it held no more when it was looked at.
        due: by when it must be acknowledged.
        start: when that time began.
    """

    sort: Sort
    at: dt.datetime
    about: str
    tlp: Tlp
    priority: str
    audience: str = ""
    row: int = 0
    issuer: str = ""
    country: str = ""
    kind: str = ""
    headline: str = ""
    is_named: bool = True
    incident: str | None = None
    thread: str | None = None
    areas: tuple[str, ...] = ()
    election_country: str | None = None
    is_vote: bool = False
    is_exercise: bool = False
    is_over: bool = False
    due: dt.datetime | None = None
    start: dt.datetime | None = None

    @property
    def token(self) -> str:
        """By what it is asked whether somebody has answered it."""
        return f"{self.about}|{self.kind}" if self.sort is Sort.CHANNEL else self.about


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told: an authority, its country, and whose channels are its own."""

    authority: str
    country: str
    channels_of: frozenset[str]


class Span(msgspec.Struct, frozen=True):
    """A time of the day, from one minute of it until another; one that ends before it begins goes over midnight."""

    begins: dt.time
    ends: dt.time


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A way by which messages leave.

    Attributes:
        name: as rules name it.
        kind: the protocol.
        address: a URL: `https://…`, or `smtp://…` and `smtps://…`.
        secret: the file with what the way is opened by: the key of a webhook's signatures, a token, a password.
        tlp: the narrowest marking of which a message says more than that it waits.
        room: of Matrix.
        user: of a mail server.
        sender, to: addresses of mail.
    """

    name: str
    kind: Literal["webhook", "matrix", "mattermost", "smtp"]
    address: str
    secret: Path | None = None
    tlp: Tlp = Tlp.GREEN
    room: str = ""
    user: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell of what, and when.

    Attributes:
        name: of the rule.
        channels: the contacts, in their order; the first is told, the next when nobody answers.
        selection: of which bulletins.
        when: `interrupts`, `all` or `digest`.
        hours: when the digest is due.
        quiet: when nothing but interrupts is told.
        ceiling: the narrowest marking that this rule sees.
        audiences: what is said to these; none for all that the identity reads.
        escalate_s: after so many seconds without an answer the next contact is told.
        exercises: whether exercises are told of.
    """

    name: str
    channels: tuple[str, ...]
    selection: Selection = Selection()
    when: Literal["interrupts", "all", "digest"] = "interrupts"
    hours: tuple[dt.time, ...] = ()
    quiet: tuple[Span, ...] = ()
    ceiling: Tlp = Tlp.AMBER
    audiences: frozenset[str] = frozenset()
    escalate_s: int = 900
    exercises: bool = True


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that `notify.toml` says.

    Attributes:
        rules: by name, in their order.
        channels: by name.
        zone: in which the times of the day are meant.
        console: the address of the console, for links; empty for none.
        own: whose channels are one's own besides; see `Own`.
        networks: own networks into which messages may be sent though nobody outside reaches them.
    """

    rules: dict[str, Rule]
    channels: dict[str, Channel]
    zone: dt.tzinfo = dt.UTC
    console: str = ""
    own: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be said on a channel; worded only when it is sent, by the settings of that moment.

    Attributes:
        form: a `group`, a `digest`, an `escalation` or a `test`.
        items: what is told, the gravest first; all of a group have one marking.
        count: how many there were in all.
        since: when the first of them happened.
        at: when this was made.
        repeated: whether something was said of the same before.
    """

    form: Literal["group", "digest", "escalation", "test"]
    items: tuple[Item, ...]
    count: int
    since: dt.datetime
    at: dt.datetime
    repeated: bool = False

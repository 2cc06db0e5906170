"""The subject grammar: the subject of a bulletin, derived from its content, and patterns for subscriptions.

    tocsin.v1.<status>.<tlp>.<audience>.<cc>.<org>.<domain>.<kind>.<area>.<election>.<priority>

A subject has always twelve tokens. Permissions and streams use the left part, interests the right part. A subject is
derived, never chosen. A bulletin on a wrong subject is refused.

The registry has its own subjects: `tocsin.trust.v1.<registry|beacon>` and, for each sender of statements, `...revoke.<speaker>`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import msgspec

from schemas.bodies import KINDS
from schemas.bulletin import Bulletin
from schemas.errors import SchemaError
from schemas.vocab import Certainty, Domain, Severity, Status, Tlp, Urgency

PREFIX = "tocsin.v1"
TRUST_PREFIX = "tocsin.trust.v1"
TOKENS = 12
MAX_SUBJECT = 200
HIDDEN = "x"  # kind, area and election of a TLP:RED bulletin, and of a heartbeat
PRIORITIES = ("p1", "p2", "p3", "p4")

_AUDIENCE = re.compile(r"[a-z0-9][a-z0-9-]{1,40}")
_COUNTRY = re.compile(r"[a-z]{2}|int")
_ORG = re.compile(r"[a-z0-9]{2,24}(?:-[a-z0-9]{1,12})?")
_ISSUER = re.compile(rf"(?:{_COUNTRY.pattern})-{_ORG.pattern}")
_AREA = re.compile(r"[a-z]{2}|multi|intl|x")
_ELECTION = re.compile(
    r"none|x|[a-z]{2}-(?:ep|pres|parl|sen|reg|mun|ref|byel|oth)-[0-9]{4}(?:-[a-z0-9]{1,12})?"
)


class Trust(StrEnum):
    """Kinds of trust documents: the fourth token of their subject."""

    REGISTRY = "registry"
    BEACON = "beacon"
    REVOKE = "revoke"


REGISTRAR_SUBJECTS = (f"{TRUST_PREFIX}.{Trust.REGISTRY}", f"{TRUST_PREFIX}.{Trust.BEACON}")
STATEMENT_SUBJECTS = f"{TRUST_PREFIX}.{Trust.REVOKE}.*"


def trust_subject(kind: Trust, speaker: str) -> str:
    """The subject of a trust document; statements have one for each sender."""
    return f"{TRUST_PREFIX}.{kind}.{speaker}" if kind is Trust.REVOKE else f"{TRUST_PREFIX}.{kind}"


def said_on(subject: str) -> Trust | None:
    """The kind of trust document on a subject; None for any other subject."""
    for kind in Trust:
        if f"{subject}.".startswith(f"{TRUST_PREFIX}.{kind}."):
            return kind
    return None


class Channel(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One authority speaking to one audience at one TLP and status: the unit of chains, grants and liveness."""

    issuer: str
    status: Status
    tlp: Tlp
    audience: str

    @property
    def name(self) -> str:
        """`<status>.<tlp>.<audience>`: the name of the channel, unique for its issuer."""
        return f"{self.status}.{tlp_token(self.tlp)}.{self.audience}"

    @property
    def prefix(self) -> str:
        """The first seven tokens of every subject of the channel."""
        cc, org = self.issuer.split("-", 1)
        return f"{PREFIX}.{self.name}.{cc}.{org}"

    def __str__(self) -> str:
        return f"{self.issuer}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Channel:
        """Parse the output of `str`.

        Raises:
            SchemaError: `malformed-subject`.
        """
        issuer, _, name = text.partition("/")
        parts = name.split(".")
        if len(parts) != 3 or not _ISSUER.fullmatch(issuer) or not _AUDIENCE.fullmatch(parts[2]):
            raise SchemaError(f"{text!r} is not a channel", reason="malformed-subject")
        status, tlp = _status(parts[0], text), tlp_from_token(parts[1])
        return cls(issuer=issuer, status=status, tlp=tlp, audience=parts[2])


class Subject(NamedTuple):
    """The parts of a subject."""

    status: Status
    tlp: Tlp
    audience: str
    issuer: str
    domain: Domain
    kind: str
    area: str
    election: str
    priority: str

    @property
    def channel(self) -> Channel:
        """The channel the subject belongs to."""
        return Channel(issuer=self.issuer, status=self.status, tlp=self.tlp, audience=self.audience)


def channel_of(bulletin: Bulletin) -> Channel:
    """The channel a bulletin belongs to."""
    return Channel(
        issuer=bulletin.issuer.id, status=bulletin.status, tlp=bulletin.tlp, audience=bulletin.audience
    )


def subject_for(bulletin: Bulletin) -> str:
    """The one subject of a bulletin. TLP:RED hides kind, area and election; on status beat a channel has a single subject."""
    cc, _, org = bulletin.issuer.id.partition("-")
    if hides(bulletin.status, bulletin.tlp):
        what = f"{HIDDEN}.{HIDDEN}.{HIDDEN}"
    else:
        election = bulletin.election.id if bulletin.election else "none"
        what = f"{bulletin.kind}.{area_token(bulletin)}.{election}"
    return (
        f"{PREFIX}.{bulletin.status}.{tlp_token(bulletin.tlp)}.{bulletin.audience}.{cc}.{org}."
        f"{bulletin.issuer.domain}.{what}.{priority(bulletin)}"
    )


def hides(status: Status, tlp: Tlp) -> bool:
    """Whether subjects with this status and marking hide kind, area and election."""
    return tlp is Tlp.RED or status is Status.BEAT


def beat_subject(channel: Channel, domain: Domain) -> str:
    """The single subject of a channel of status beat, for an issuer of this domain."""
    return f"{channel.prefix}.{domain}.{HIDDEN}.{HIDDEN}.{HIDDEN}.p4"


_RANKED = frozenset({Status.ACTUAL, Status.EXERCISE})
_PRESSING = frozenset({Urgency.IMMEDIATE, Urgency.EXPECTED})
_SURE = frozenset({Certainty.OBSERVED, Certainty.LIKELY})
_SEVERE = frozenset({Severity.EXTREME, Severity.SEVERE})
_GRAVE = _SEVERE | {Severity.MODERATE}


def priority(bulletin: Bulletin) -> str:
    """`p1` (wake somebody) to `p4`, from urgency, severity and certainty; all but actual and exercise are always `p4`."""
    severity = bulletin.severity
    if severity not in _GRAVE or bulletin.status not in _RANKED:
        return "p4"
    if severity in _SEVERE and bulletin.urgency in _PRESSING:
        return "p1" if severity is Severity.EXTREME and bulletin.certainty in _SURE else "p2"
    return "p4" if bulletin.urgency is Urgency.PAST else "p3"


def area_token(bulletin: Bulletin) -> str:
    """The affected country in lower case, or `eu`, `multi`, `intl`."""
    countries = set()
    for area in bulletin.areas:
        if area.scope == "eu":
            return "eu"
        if area.country:
            countries.add(area.country)
    if len(countries) > 1:
        return "multi"
    only = countries.pop() if countries else "INT"
    return "intl" if only == "INT" else only.lower()


def tlp_token(tlp: Tlp) -> str:
    """The marking as a subject token, without `+`, which NATS does not recommend."""
    return tlp.replace("+", "-")


def tlp_from_token(token: str) -> Tlp:
    """The marking a token names.

    Raises:
        SchemaError: `malformed-subject`.
    """
    found = _tlps().get(token)
    if found is None:
        raise SchemaError(f"{token!r} is not a TLP token", reason="malformed-subject")
    return found


@cache
def _tlps() -> dict[str, Tlp]:
    return {tlp_token(tlp): tlp for tlp in Tlp}


def _status(token: str, where: str) -> Status:
    try:
        return Status(token)
    except ValueError:
        raise SchemaError(f"{where!r}: {token!r} is not a status", reason="malformed-subject") from None


def parse(subject: str) -> Subject:
    """Parse a subject strictly: no wildcards, no empty tokens, only known words.

    Raises:
        SchemaError: `malformed-subject`.
    """
    tokens = subject.split(".")
    if len(tokens) != TOKENS or len(subject) > MAX_SUBJECT or tokens[:2] != ["tocsin", "v1"]:
        raise SchemaError(f"{subject[:250]!r} is not a bulletin subject", reason="malformed-subject")
    status, tlp, audience, cc, org, domain, kind, area, election, prio = tokens[2:]
    hidden = (kind == HIDDEN, area == HIDDEN, election == HIDDEN)
    bad = (
        not _AUDIENCE.fullmatch(audience)
        or not _COUNTRY.fullmatch(cc)
        or not _ORG.fullmatch(org)
        or hidden != (tlp == Tlp.RED or status == Status.BEAT,) * 3
        or domain not in _DOMAINS
        or (kind not in KINDS and kind != HIDDEN)
        or not _AREA.fullmatch(area)
        or not _ELECTION.fullmatch(election)
        or prio not in PRIORITIES
    )
    if bad:
        raise SchemaError(f"{subject!r} has a token outside the grammar", reason="malformed-subject")
    return Subject(
        _status(status, subject),
        tlp_from_token(tlp),
        audience,
        f"{cc}-{org}",
        Domain(domain),
        kind,
        area,
        election,
        prio,
    )


_DOMAINS = frozenset(Domain)


class Interest(msgspec.Struct, frozen=True, kw_only=True):
    """The interest of a reader; an empty field means any. Topics are domains or kinds."""

    topics: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    elections: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = (Status.ACTUAL,)
    min_priority: str = "p4"

    def matches(self, subject: Subject) -> bool:
        """Whether a subject matches. A hidden token (TLP:RED) matches, because it may be any."""
        kinds = self._kinds()
        return (
            subject.status in self.statuses
            and (
                not self.topics
                or subject.domain in self.topics
                or subject.kind in kinds
                or (subject.kind == HIDDEN and bool(kinds))
            )
            and (not self.countries or subject.issuer.split("-", 1)[0] in self.countries)
            and (not self.areas or subject.area in (*self.areas, HIDDEN))
            and (not self.elections or subject.election in (*self.elections, HIDDEN))
            and subject.priority <= self.min_priority
        )

    def patterns(self) -> tuple[str, ...]:
        """The interest as NATS patterns over all audiences and markings."""
        return tuple(self.narrowed("*", "*"))

    def narrowed(self, tlp: str, audience: str, statuses: Iterable[Status] | None = None) -> Iterator[str]:
        """The patterns for one TLP token and audience, limited to these statuses.

        If the marking hides kind, area and election, those parts match everything, so that a reader misses nothing.
        """
        prios = ("*",) if self.min_priority == "p4" else PRIORITIES[: PRIORITIES.index(self.min_priority) + 1]
        domains = [(t, "*") for t in self.topics if t in _DOMAINS]
        kinds = [("*", t) for t in self._kinds()]
        for status in self.statuses if statuses is None else statuses:
            hidden = tlp == Tlp.RED or status is Status.BEAT
            abouts = itertools.product(
                self.countries or ("*",),
                [("*", "*")] if hidden and kinds else [*domains, *kinds] or [("*", "*")],
                ("*",) if hidden else self.areas or ("*",),
                ("*",) if hidden else self.elections or ("*",),
                prios,
            )
            for cc, (domain, kind), area, election, prio in abouts:
                about = f"{cc}.*.{domain}.{kind}.{area}.{election}.{prio}"
                yield _shorten(f"{PREFIX}.{status}.{tlp}.{audience}.{about}")

    def _kinds(self) -> tuple[str, ...]:
        return tuple(topic for topic in self.topics if topic not in _DOMAINS)


def _shorten(pattern: str) -> str:
    """Trailing `*` tokens become one `>`."""
    tokens = pattern.split(".")
    if tokens[-1] != "*":
        return pattern
    while tokens and tokens[-1] == "*":
        tokens.pop()
    return ".".join([*tokens, ">"])


def expand(interest: Interest, prefixes: Iterable[tuple[Status, Tlp, str]]) -> tuple[str, ...]:
    """The patterns of an interest within a reader's grants.

    A broker refuses a subscription that is wider than the grants. So a client subscribes to exactly what it may read,
    with patterns for each granted (status, tlp, audience).
    """
    found: dict[str, None] = {}
    for status, tlp, audience in prefixes:
        if status in interest.statuses:
            found.update(dict.fromkeys(interest.narrowed(tlp_token(tlp), audience, (status,))))
    return tuple(found)


def matches(pattern: str, subject: str) -> bool:
    """Whether a NATS pattern (`*` one token, `>` one or more at the end) covers a subject."""
    wanted, given = pattern.split("."), subject.split(".")
    for place, token in enumerate(wanted):
        if token == ">":
            return place == len(wanted) - 1 and len(given) > place
        if place >= len(given) or token not in ("*", given[place]):
            return False
    return len(wanted) == len(given)

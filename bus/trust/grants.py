"""Grants: the ways on which an authority publishes or reads, and the kinds that it may publish there. Pure.

A way is a (status, tlp, audience).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from itertools import product

import msgspec

from bus.errors import PermitError
from bus.trust.roles import BEYOND_COUNTRIES, BY_KIND, MAY_ORDER, says
from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentNotice, ContentOrder
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.foreign import LegalReferral
from schemas.bodies.system import receipt_tlp
from schemas.bulletin import Bulletin
from schemas.open_vocab import OPEN
from schemas.parts import Area, Authority, Deadline
from schemas.registry import AuthorityRecord, Clock, PublishGrant, ReadGrant, Registry
from schemas.subject import Channel, priority
from schemas.vocab import TALK, Status, Tlp

ANY = "*"
UNION = "EU"  # the area code for the whole Union; such bulletins reach every hub
HEARTBEAT = "channel-status"
FEEDBACK = "feedback"
"""The kind of an answer: every reader of a bulletin may answer it (`bus.trust.answering`)."""
HUB = "hub"
"""The kind of an authority that is a country's reader: it must hold all that it may read, answers, and helps other hubs."""

Ways = frozenset[tuple[Status, Tlp, str]]


def spoken_by(record: AuthorityRecord) -> Ways:
    """The ways on which an authority may publish some kind for some area."""
    return granted(record.publish)


def read_by(name: str, record: AuthorityRecord) -> Ways:
    """The ways that an authority may read; a hub also reads what others address to its id about what it reads."""
    ways = granted(record.read)
    return ways | _said_to(name, ways) if record.kind == HUB else ways


def answers_to(name: str, ways: Ways) -> Ways:
    """The ways on which others send an author receipts and requests, by its id, about its bulletins; it reads them without a grant."""
    return _said_to(name, not_talk(ways))


def not_talk(ways: Ways) -> Ways:
    """The statuses of bulletins that people write."""
    return frozenset(way for way in ways if way[0] not in TALK)


def _said_to(name: str, ways: Iterable[tuple[Status, Tlp, str]]) -> Ways:
    return frozenset((Status.SYSTEM, receipt_tlp(tlp), name) for _, tlp, _ in ways)


def granted(grants: Iterable[PublishGrant | ReadGrant]) -> Ways:
    """The ways that the grants themselves open."""
    return frozenset(
        way for grant in grants for way in product(opened_by(grant), grant.tlps, grant.audiences)
    )


def opened_by(grant: PublishGrant | ReadGrant) -> frozenset[Status]:
    """The statuses that a grant opens: a grant for heartbeats on status system opens status beat, which carries them.

    A reader of status system reads heartbeats.
    """
    statuses = frozenset(grant.statuses) - {Status.BEAT}
    if Status.SYSTEM not in statuses:
        return statuses
    is_heard = isinstance(grant, ReadGrant) or not {ANY, HEARTBEAT}.isdisjoint(grant.kinds)
    return statuses | {Status.BEAT} if is_heard else statuses


class Speaker(msgspec.Struct, frozen=True):
    """An authority as a publisher of bulletins.

    Attributes:
        authority: how its bulletins must describe it.
        require: the algorithms that it must sign with.
        grants: what it may publish.
        feedback: the ways on which it may publish feedback without a grant (`bus.trust.answering`).
        known: the registry, which describes the others; None skips these checks.
    """

    authority: Authority
    require: tuple[str, ...]
    grants: tuple[PublishGrant, ...]
    known: Registry | None = None
    feedback: Ways = frozenset()

    @classmethod
    def of(
        cls,
        authority_id: str,
        record: AuthorityRecord,
        known: Registry | None = None,
        feedback: Ways = frozenset(),
    ) -> Speaker:
        """The speaker that a record of the registry describes."""
        return cls(
            known=known,
            authority=Authority(
                id=authority_id,
                kind=record.kind,
                domain=record.domain,
                country=record.country,
                name=record.name,
            ),
            require=tuple(record.require),
            grants=tuple(record.publish),
            feedback=feedback,
        )

    def permit(self, bulletin: Bulletin, channel: Channel) -> None:
        """Refuse a bulletin without a grant of the speaker.

        Args:
            bulletin: the bulletin to judge.
            channel: the bulletin's own (`schemas.subject.channel_of`).

        Raises:
            PermitError: `not-permitted`; its text names what is missing.
        """
        if not self.may_answer(bulletin, channel):
            self._permit_by_grant(bulletin, channel)
        if why := self.contradicted(bulletin):
            raise PermitError(why, reason="not-permitted")

    def may_answer(self, bulletin: Bulletin, channel: Channel) -> bool:
        """Whether the bulletin is feedback on a channel that the speaker reads, which needs no grant to publish.

        A bulletin that would wake somebody, asks others to act or starts a clock needs a grant: a mere reader must not
        delay the warnings of others.
        """
        way = (channel.status, channel.tlp, channel.audience)
        return isinstance(bulletin.body, Feedback) and way in self.feedback and not _presses(bulletin)

    def needs_reading(self, bulletin: Bulletin, channel: Channel) -> bool:
        """Whether only reading the channel allows the bulletin; no grant to publish covers it."""
        if not self.may_answer(bulletin, channel):
            return False
        try:
            self._permit_by_grant(bulletin, channel)
        except PermitError:
            return True
        return False

    def _permit_by_grant(self, bulletin: Bulletin, channel: Channel) -> None:
        ways = [grant for grant in self.grants if _covers(grant, channel)]
        if not ways:
            if (channel.status, channel.tlp, channel.audience) in self.feedback:
                plain = (
                    " of low priority without actions and deadlines"
                    if isinstance(bulletin.body, Feedback)
                    else ""
                )
                raise PermitError(
                    f"{bulletin.issuer.id} reads {channel.name} and may publish only feedback{plain} there; "
                    "ask your registrar",
                    reason="not-permitted",
                )
            raise PermitError(
                f"{bulletin.issuer.id} has no grant to publish {channel.name} ({bulletin.status}, "
                f"TLP:{bulletin.tlp.upper()}, to {bulletin.audience}); ask your registrar",
                reason="not-permitted",
            )
        kind = bulletin.kind
        by_role = says(self.authority.kind, kind)
        kinds = [grant for grant in ways if kind in grant.kinds or (by_role and ANY in grant.kinds)]
        if not kinds:
            if not by_role and any(ANY in grant.kinds for grant in ways):
                raise PermitError(
                    f"{bulletin.issuer.id} is of kind {self.authority.kind}, which does not publish {kind}: {BY_KIND[kind][1]}; "
                    "a grant that names the kind would allow it",
                    reason="not-permitted",
                )
            raise PermitError(
                f"{bulletin.issuer.id} has no grant for kind {bulletin.kind} on {channel.name}",
                reason="not-permitted",
            )
        needed = areas_needed(bulletin.areas)
        if not any(ANY in grant.areas or needed <= set(grant.areas) for grant in kinds):
            said = ", ".join(sorted(needed)).replace(ANY, "areas without a country")
            raise PermitError(
                f"{bulletin.issuer.id} has no grant for {said} on {channel.name}", reason="not-permitted"
            )

    def contradicted(self, bulletin: Bulletin) -> str | None:
        """A sentence on what a bulletin says of others that contradicts the registry; None if they agree."""
        return None if self.known is None else _unlike(bulletin, self.authority, self.known)


def _presses(bulletin: Bulletin) -> bool:
    return bool(bulletin.actions or bulletin.deadlines) or priority(bulletin) in ("p1", "p2")


_ADDRESS = re.compile(r"(?:[a-z]{2}|int)-[a-z0-9]{2,24}(?:-[a-z0-9]{1,12})?")
_KINDS_OF_AUTHORITY = OPEN["authority-kind"].values
_LONGEST_S = 10_000_000_000
_ROUGH = dt.timedelta(days=28)
_MONTH_SLACK = dt.timedelta(days=3)


def _unlike(b: Bulletin, issuer: Authority, known: Registry) -> str | None:
    """A sentence on what a bulletin says of others that contradicts the registry; None if they agree."""
    return (
        _of_another_election(b, issuer)
        or (_unlike_record(b, known.authorities) if b.co_issuers else None)
        or (_to_nobody(b, known) if b.actions or isinstance(b.body, Rfi | Feedback) else None)
        or (_unlike_clock(b, known.clocks) if b.deadlines else None)
        or _without_power(b, known.authorities)
    )


def _of_another_election(b: Bulletin, issuer: Authority) -> str | None:
    """An authority publishes dates and results of its own country only; so does each country for the Union's elections."""
    if b.election is None or not isinstance(b.body, ElectionCalendar | PostElectionReport):
        return None
    country = b.election.id.split("-", 1)[0].upper()
    if country in (issuer.country, "EU"):
        return None
    if isinstance(b.body, PostElectionReport) and issuer.country in BEYOND_COUNTRIES:
        return None
    return (
        f"{issuer.id} is of {issuer.country} and cannot say a {b.kind} of {b.election.id}, an election of {country}; "
        "its own electoral authority publishes it"
    )


def _unlike_record(b: Bulletin, authorities: Mapping[str, AuthorityRecord]) -> str | None:
    for other in b.co_issuers:
        record = authorities.get(other.id)
        if record is None:
            continue  # another registry may know it; readers show it as named and not confirmed
        if (other.kind, other.domain, other.country) != (record.kind, record.domain, record.country):
            return (
                f"the co-issuer {other.id} is {record.kind} of {record.country} in domain {record.domain} by the registry, "
                f"not {other.kind} of {other.country} in domain {other.domain}; write it as the registry has it"
            )
    return None


def _to_nobody(b: Bulletin, known: Registry) -> str | None:
    asked = [word for action in b.actions for word in action.to]
    if isinstance(b.body, Rfi):
        asked += b.body.to
    if isinstance(b.body, Feedback) and b.body.handover_to is not None:
        asked.append(b.body.handover_to)
    for word in asked:
        if word in _KINDS_OF_AUTHORITY or word in known.authorities or word in known.audiences:
            continue
        if _ADDRESS.fullmatch(word):
            return f"{word} is addressed, and is not in the registry; name an authority that is, or its kind"
    return None


def _without_power(b: Bulletin, authorities: Mapping[str, AuthorityRecord]) -> str | None:
    """A sentence on a body that names as leading, ordering, prosecuting or flagging a kind of authority that may not; else None."""
    body = b.body
    if isinstance(body, DataBreach):
        name, may, what = body.lead_authority, frozenset({"dpa"}), "leads (GDPR, Article 56)"
    elif isinstance(body, ContentOrder):
        name, may, what = (
            body.issuing_authority,
            MAY_ORDER,
            "orders (Regulation (EU) 2022/2065, Article 9(1))",
        )
    elif isinstance(body, LegalReferral):
        name, may, what = body.competent, MAY_ORDER, "is competent for offences"
    elif isinstance(body, ContentNotice) and body.channel == "art22-trusted-flagger":
        name, may, what = body.notifier, frozenset({"trusted-flagger"}), "flags under Article 22"
    else:
        return None
    record = authorities.get(name or "")
    if record is None or record.kind in may:
        return None
    return f"{name} is of kind {record.kind}, and none of that kind {what}; name who does"


def _unlike_clock(b: Bulletin, clocks: Mapping[str, Clock]) -> str | None:
    """A sentence on a deadline that fits neither its clock nor a variant of it, since some laws give trust services less time."""
    for each in b.deadlines:
        clock = clocks.get(each.clock)
        if clock is None:
            continue
        special = (other for name, other in clocks.items() if name.startswith(f"{each.clock}-"))
        if not any(_runs_like(each, other) for other in (clock, *special)):
            runs = dt.timedelta(seconds=min(clock.due_s, _LONGEST_S))
            return (
                f"the clock {each.clock} runs {_spoken(runs)} ({clock.ref}), and is due {_spoken(each.due - each.started)} after it "
                "started; mend due or started"
            )
    return None


def _runs_like(deadline: Deadline, clock: Clock) -> bool:
    runs = dt.timedelta(seconds=min(clock.due_s, _LONGEST_S))
    slack = _MONTH_SLACK if runs >= _ROUGH else dt.timedelta(minutes=1)  # months have 28 to 31 days
    return abs(deadline.due - deadline.started - runs) <= slack


def _spoken(span: dt.timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    return f"{hours} hours" if hours <= 96 else f"{hours // 24} days"


def areas_needed(areas: Iterable[Area]) -> frozenset[str]:
    """The area codes that a grant must name for these areas: their countries; `*` for an area without a country, or no area.

    A bulletin without areas must not be allowed more than one with areas.
    """
    needed: set[str] = set()
    for area in areas:
        if area.scope == "eu":
            needed |= {UNION, area.country or UNION}
        else:
            needed.add(area.country or ANY)
    return frozenset(needed or {ANY})


def _covers(grant: PublishGrant, channel: Channel) -> bool:
    return (
        channel.status in opened_by(grant)
        and channel.tlp in grant.tlps
        and channel.audience in grant.audiences
    )

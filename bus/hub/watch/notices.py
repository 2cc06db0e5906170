"""Publishes that a channel has gone dark, and that it is back, as actual bulletins if the hub's grants allow it.

They go to the audience for which a grant of status `actual` names the kind `channel-status`, a national one before
others. The outbox shows which channels were last reported dark, so a restarted program repeats none and forgets none. A
channel that comes and goes causes at most `A_DAY` notices a day; further ones are published later.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from bus.hub.watch.liveness import Silence
from bus.publishing import Publisher
from bus.publishing import outbox_table as table
from bus.storage import single
from bus.trust import HEARTBEAT, VerifiedRegistry
from schemas.bodies.system import ChannelStatus
from schemas.bulletin import Draft
from schemas.codec import decode
from schemas.parts import Info
from schemas.vocab import ChannelState, Posture, Scope, Severity, Status, Tlp, Urgency

ORIGIN = "dark:"
A_DAY = 12
"""Most notices about one authority's channels in a day."""
DAY_S = 86_400.0
_NARROWEST = (Scope.NATIONAL, Scope.ORG, Scope.UNION, Scope.PUBLIC)


class NoticePlace(NamedTuple):
    """The TLP and the audience of a notice."""

    tlp: Tlp
    audience: str


def audience_of(registry: VerifiedRegistry, hub: str) -> NoticePlace | None:
    """The audience for a hub's notices about a channel; None if no grant names one."""
    listed = registry.document.audiences
    places = [
        (_NARROWEST.index(listed[audience].scope if audience in listed else Scope.ORG), tlp, audience)
        for grant in registry.authority(hub).publish
        if Status.ACTUAL in grant.statuses and HEARTBEAT in grant.kinds
        for tlp in grant.tlps
        for audience in grant.audiences
    ]
    return NoticePlace(*min(places)[1:]) if places else None


def draft(channel: str, detail: str | None, place: NoticePlace, interval_s: int) -> Draft:
    """The notice about a channel: dark with a detail, back without one.

    It gives no count of bulletins, because readers of another channel need not learn it.
    """
    is_dark = detail is not None
    headline = f"Channel {channel} is {'silent' if is_dark else 'heard again'}"
    summary = f"This hub finds: {detail}." if is_dark else "Bulletins or heartbeats come again."
    return Draft(
        info=(Info(lang="en", headline=headline, summary=summary),),
        body=ChannelStatus(
            state=ChannelState.DOWN if is_dark else ChannelState.UP,
            posture=Posture.BASELINE,
            interval_s=interval_s,
            last_seq=0,
            duty="unstaffed",
        ),
        tlp=place.tlp,
        audience=place.audience,
        urgency=Urgency.IMMEDIATE if is_dark else Urgency.PAST,
        severity=Severity.MODERATE if is_dark else Severity.MINOR,
    )


class Notices(msgspec.Struct, frozen=True):
    """Publishes a hub's notices about its watched channels, with the hub's own publisher."""

    publisher: Publisher

    async def __call__(self, silent: Mapping[str, Silence]) -> bool:
        """Publish the changes since the last notices. Returns whether all are published.

        Args:
            silent: the channels that are dark now, each with the reason and its interval in seconds.

        Raises:
            PermitError, OutboxError, StoreError: as `Publisher.publish`.
        """
        publisher = self.publisher
        place = audience_of(publisher.registry(), publisher.authority_id)
        if place is None:
            return True
        since = publisher.clock().timestamp() - DAY_S
        dark = await publisher.outbox.read(_said)
        is_all = True
        for channel in sorted(silent.keys() - dark.keys()):
            issuer = channel.partition("/")[0]
            if await publisher.outbox.read(lambda db, who=issuer: _count(db, who, since)) >= A_DAY:  # type: ignore[misc]  # bound now
                is_all = False
                continue
            notice = draft(channel, silent[channel].detail, place, silent[channel].interval_s)
            await publisher.publish(notice, origin=ORIGIN + channel)
        for channel in sorted(dark.keys() - silent.keys()):
            await publisher.publish(draft(channel, None, place, dark[channel]), origin=ORIGIN + channel)
        return is_all


def _count(db: sqlite3.Connection, issuer: str, since: float) -> int:
    """The number of notices about an authority's channels since a moment."""
    sql = "SELECT count(*) FROM outbox WHERE origin >= ?1 AND origin < ?2 AND kept_at > ?3"
    return single(db, sql, f"{ORIGIN}{issuer}/", f"{ORIGIN}{issuer}0", since)  # '0' comes right after '/'


_LAST = """
SELECT * FROM outbox WHERE n IN (SELECT max(n) FROM outbox WHERE origin >= ? AND origin < ? GROUP BY origin) ORDER BY n
"""


def _said(db: sqlite3.Connection) -> dict[str, int]:
    """The channels last reported dark, with their intervals."""
    last = {}
    for row in table.rows(db, _LAST, ORIGIN, ORIGIN[:-1] + ";"):  # ';' comes right after ':'
        if not row.is_whole:
            continue  # its content cannot be trusted
        body = decode(row.payload).body
        if row.origin is not None and isinstance(body, ChannelStatus):
            last[row.origin.removeprefix(ORIGIN)] = body
    return {channel: body.interval_s for channel, body in last.items() if body.state is ChannelState.DOWN}

"""Ready for election day: named checks over what a hub holds, each passed, failed or unknown, and why. Pure.

What cannot be known from here is unknown and never taken for well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bus.hub.elections import Calendar, vote_end
from bus.hub.picture.contacts import Contact
from bus.hub.watch import ChannelRow, Liveness
from bus.trust import TrustState, VerifiedRegistry
from schemas.registry import AuthorityRecord, KeyRecord, Role, SealKeyRecord
from schemas.vocab import SealPolicy, Status

PASS: Literal["pass"] = "pass"
FAIL: Literal["fail"] = "fail"
UNKNOWN: Literal["unknown"] = "unknown"
Verdict = Literal["pass", "fail", "unknown"]


class ReadinessCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check: its name, whom it is about (empty when nobody in particular), and how it came out."""

    name: str
    about: str
    verdict: Verdict
    reason: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks look at.

    Attributes:
        registry: as it stands.
        channels: the rows of `bus.hub.watch.channels.channel_rows`.
        contacts: None when this hub keeps no list.
        drills: by authority, when it last issued a bulletin of an exercise.
        now: the present.
        drill_days: how old the last drill may be.
        contact_days: how long ago a contact may have been confirmed.
    """

    registry: VerifiedRegistry
    channels: Sequence[ChannelRow]
    contacts: Sequence[Contact] | None
    drills: Mapping[str, dt.datetime]
    now: dt.datetime
    drill_days: int = 90
    contact_days: int = 30


def assess(calendar: Calendar, facts: Facts) -> tuple[ReadinessCheck, ...]:
    """Every check for one election in one country, those on the whole first, then authority by authority."""
    until = vote_end(calendar.body)
    authorities = {
        name: record
        for name, record in facts.registry.document.authorities.items()
        if record.country == calendar.country
    }
    checks = [_calendar(calendar, facts.now), *_trust(facts, until), _drill(authorities, facts)]
    for name, record in sorted(authorities.items()):
        if record.publish:
            checks.append(_channels(name, facts))
            checks.append(_signing(name, record, facts, until))
        if (seal := _seal(name, record, facts, until)) is not None:
            checks.append(seal)
        checks.append(_contact(name, facts))
    return tuple(checks)


def _calendar(calendar: Calendar, now: dt.datetime) -> ReadinessCheck:
    if calendar.expires <= now:
        return _check(
            "calendar", FAIL, f"it ran out on {calendar.expires:%Y-%m-%d}; its issuer should say it anew"
        )
    if not calendar.body.confirmed:
        return _check("calendar", FAIL, "its dates are not confirmed yet")
    return _check("calendar", PASS, f"confirmed by {calendar.row.bulletin.issuer.id}")


def _trust(facts: Facts, until: dt.datetime | None) -> Iterator[ReadinessCheck]:
    document, now = facts.registry.document, facts.now
    yield _beyond("registry", "", [document.expires], until, "the registry")
    for name, role in (("root-keys", document.root), ("beacon-keys", document.beacon)):
        yield _beyond(name, "", _alive_until(role, now), until, "its threshold of keys")
    state = facts.registry.state(now)
    fresh = state is TrustState.FRESH
    yield _check("beacon", PASS if fresh else FAIL, f"the registry is {state}")


def _alive_until(role: Role, now: dt.datetime) -> list[dt.datetime]:
    """Until when a threshold of keys stands: the end of the key whose loss breaks it."""
    ends = sorted(
        (key.not_after for key in role.keys.values() if key.revoked_since is None and key.not_after > now),
        reverse=True,
    )
    return ends[role.threshold - 1 : role.threshold]


def _drill(authorities: Iterable[str], facts: Facts) -> ReadinessCheck:
    last = max((facts.drills[name] for name in authorities if name in facts.drills), default=None)
    if last is None:
        return _check("drill", FAIL, "no exercise of this country's authorities is held here")
    days = (facts.now - last).days
    verdict = PASS if days <= facts.drill_days else FAIL
    return _check("drill", verdict, f"the last was {days} days ago; at most {facts.drill_days} are allowed")


def _channels(name: str, facts: Facts) -> ReadinessCheck:
    rows = [
        row
        for row in facts.channels
        if row.authority == name and row.channel.partition(".")[0] == Status.ACTUAL
    ]
    if not rows:
        return _check("channels", UNKNOWN, "this identity may read none of its channels", name)
    dark = [
        f"{row.channel} is {row.state}" for row in rows if row.state not in (Liveness.LIVE, Liveness.UNHEARD)
    ]
    forked = [f"{row.channel} has contradicted itself" for row in rows if row.forks]
    if dark or forked:
        return _check("channels", FAIL, "; ".join((*forked, *dark)), name)
    unheard = [row.channel for row in rows if row.state == Liveness.UNHEARD]
    if unheard:
        return _check("channels", UNKNOWN, f"never heard: {', '.join(unheard)}", name)
    return _check("channels", PASS, f"{len(rows)} live", name)


def _signing(name: str, record: AuthorityRecord, facts: Facts, until: dt.datetime | None) -> ReadinessCheck:
    """Each algorithm that is required needs a key; the one that ends first decides."""
    ends = []
    for algorithm in record.require:
        ends += _last(
            [
                key.record
                for key in facts.registry.bulletin_keys()
                if key.authority_id == name and key.record.alg == algorithm
            ],
            facts.now,
        )
    if len(ends) < len(record.require):
        return _check("signing-key", FAIL, "it has no valid key; propose one: tocsin registry rotate", name)
    return _beyond("signing-key", name, ends, until, "its key")


def _seal(
    name: str, record: AuthorityRecord, facts: Facts, until: dt.datetime | None
) -> ReadinessCheck | None:
    """Asked of each that has a seal key, or reads an audience whose bulletins are sealed."""
    sealed = [
        audience
        for audience, each in sorted(facts.registry.document.audiences.items())
        if each.seal is not SealPolicy.NEVER and name in each.members
    ]
    if not record.seal_keys and not sealed:
        return None
    ends = _last(list(record.seal_keys.values()), facts.now)
    if not ends:
        return _check(
            "seal-key", FAIL, f"it has no valid seal key for {', '.join(sealed) or 'anybody'}", name
        )
    return _beyond("seal-key", name, ends, until, "its seal key")


def _last(keys: Sequence[KeyRecord] | Sequence[SealKeyRecord], now: dt.datetime) -> list[dt.datetime]:
    """When the valid key that stands longest ends; empty when none is valid."""
    ends = [k.not_after for k in keys if k.revoked_since is None and k.not_before <= now < k.not_after]
    return [max(ends)] if ends else []


def _contact(name: str, facts: Facts) -> ReadinessCheck:
    if facts.contacts is None:
        return _check(
            "contacts", UNKNOWN, "this context names no list of contacts (setting `contacts`)", name
        )
    mine = [each for each in facts.contacts if each.authority == name]
    if not mine:
        return _check("contacts", FAIL, "nobody is listed", name)
    last = max(each.confirmed for each in mine)
    days = (facts.now.date() - last).days
    verdict = PASS if 0 <= days <= facts.contact_days else FAIL
    return _check(
        "contacts", verdict, f"last confirmed on {last}; at most {facts.contact_days} days ago", name
    )


def _beyond(
    name: str, about: str, ends: Sequence[dt.datetime], until: dt.datetime | None, what: str
) -> ReadinessCheck:
    """Whether what ends stands until the vote is over."""
    if not ends:
        return _check(name, FAIL, f"{what} does not stand", about)
    end = min(ends)
    if until is None:
        return _check(name, UNKNOWN, "the calendar has no window of the vote itself", about)
    if end <= until:
        return _check(name, FAIL, f"{what} ends on {end:%Y-%m-%d}, the vote on {until:%Y-%m-%d}", about)
    return _check(name, PASS, f"until {end:%Y-%m-%d}", about)


def _check(name: str, verdict: Verdict, reason: str, about: str = "") -> ReadinessCheck:
    return ReadinessCheck(name=name, about=about, verdict=verdict, reason=reason)

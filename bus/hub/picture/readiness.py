"""Ready for election day: named checks over what a hub holds, each passed, failed or unknown, and why. Pure.

A check that cannot be made from here is `unknown`, never `pass`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bus.hub.elections import Calendar, vote_end
from bus.hub.picture.contacts import Contact
from bus.hub.watch import ChannelRow, Liveness
from bus.languages import ENGLISH, Language, marked
from bus.trust import TrustState, VerifiedRegistry
from schemas.registry import AuthorityRecord, KeyRecord, Role, SealKeyRecord
from schemas.subject import Channel
from schemas.vocab import SealPolicy, Status

PASS: Literal["pass"] = "pass"
FAIL: Literal["fail"] = "fail"
UNKNOWN: Literal["unknown"] = "unknown"
Verdict = Literal["pass", "fail", "unknown"]


class ReadinessCheck(msgspec.Struct, frozen=True):
    """One check: its name, the authority it is about (empty for none in particular), its verdict and the reason."""

    name: str
    about: str
    verdict: Verdict
    reason: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The input of the checks.

    Attributes:
        registry: as it stands.
        channels: the rows of `bus.hub.watch.channels.channel_rows`.
        contacts: None when this hub keeps no list.
        drills: by authority, when it last issued a bulletin of an exercise.
        now: the present.
        drill_days: how old the last drill may be.
        contact_days: how long ago a contact may have been confirmed.
        say: the language of the reasons.
    """

    registry: VerifiedRegistry
    channels: Sequence[ChannelRow]
    contacts: Sequence[Contact] | None
    drills: Mapping[str, dt.datetime]
    now: dt.datetime
    drill_days: int = 90
    contact_days: int = 30
    say: Language = ENGLISH


def assess(calendar: Calendar, facts: Facts) -> tuple[ReadinessCheck, ...]:
    """Every check for one election in one country, those on the whole first, then authority by authority."""
    until = vote_end(calendar.body)
    every = facts.registry.document.authorities
    authorities = {name: record for name, record in every.items() if record.country == calendar.country}
    checks = [_calendar(calendar, facts), *_trust(facts, until), _drill(authorities, facts)]
    for name, record in sorted(authorities.items()):
        if record.publish:
            checks += [_channels(name, facts), _signing(name, record, facts, until)]
        if (seal := _seal(name, record, facts, until)) is not None:
            checks.append(seal)
        checks.append(_contact(name, facts))
    return tuple(checks)


def _calendar(calendar: Calendar, facts: Facts) -> ReadinessCheck:
    say = facts.say
    if calendar.expires <= facts.now:
        day = f"{calendar.expires:%Y-%m-%d}"
        text = say("it ran out on %(day)s; its issuer should publish it again", day=day)
        return ReadinessCheck("calendar", "", FAIL, text)
    if not calendar.body.confirmed:
        return ReadinessCheck("calendar", "", FAIL, say("its dates are not confirmed yet"))
    issuer = calendar.row.bulletin.issuer.id
    return ReadinessCheck("calendar", "", PASS, say("confirmed by %(name)s", name=issuer))


def _trust(facts: Facts, until: dt.datetime | None) -> Iterator[ReadinessCheck]:
    document, now, say = facts.registry.document, facts.now, facts.say
    yield _beyond(say, "registry", "", [document.expires], until, marked("the registry"))
    for name, role in (("root-keys", document.root), ("beacon-keys", document.beacon)):
        yield _beyond(say, name, "", _alive_until(role, now), until, marked("its threshold of keys"))
    state = facts.registry.state(now)
    verdict = PASS if state is TrustState.FRESH else FAIL
    told = say("the registry is %(state)s", state=say.plain(str(state)))
    yield ReadinessCheck("beacon", "", verdict, told)


def _alive_until(role: Role, now: dt.datetime) -> list[dt.datetime]:
    """When the threshold of keys breaks: the end of the key whose loss breaks it. Empty when it is broken now."""
    ends = sorted(
        (key.not_after for key in role.keys.values() if key.revoked_since is None and key.not_after > now),
        reverse=True,
    )
    return ends[role.threshold - 1 : role.threshold]


def _drill(authorities: Iterable[str], facts: Facts) -> ReadinessCheck:
    last = max((facts.drills[name] for name in authorities if name in facts.drills), default=None)
    if last is None:
        return ReadinessCheck(
            "drill", "", FAIL, facts.say("no exercise of this country's authorities is held here")
        )
    days = (facts.now - last).days
    text = facts.say.many(
        "the last was %(num)s day ago; at most %(most)s are allowed",
        "the last was %(num)s days ago; at most %(most)s are allowed",
        days,
        most=facts.drill_days,
    )
    return ReadinessCheck("drill", "", PASS if days <= facts.drill_days else FAIL, text)


def _channels(name: str, facts: Facts) -> ReadinessCheck:
    say = facts.say
    rows = [row for row in facts.channels if row.authority == name and row.status is Status.ACTUAL]
    if not rows:
        return ReadinessCheck("channels", name, UNKNOWN, say("this identity may read none of its channels"))
    wrong = [
        say("%(channel)s has contradicted itself", channel=channel_in_words(say, Channel.parse(row.name)))
        for row in rows
        if row.forks
    ]
    wrong += [
        say(
            "%(channel)s is %(state)s",
            channel=channel_in_words(say, Channel.parse(row.name)),
            state=say.plain(str(row.state)),
        )
        for row in rows
        if row.state not in (Liveness.LIVE, Liveness.UNHEARD)
    ]
    if wrong:
        return ReadinessCheck("channels", name, FAIL, "; ".join(wrong))
    unheard = [
        channel_in_words(say, Channel.parse(row.name)) for row in rows if row.state == Liveness.UNHEARD
    ]
    if unheard:
        return ReadinessCheck(
            "channels", name, UNKNOWN, say("never heard: %(channels)s", channels=", ".join(unheard))
        )
    return ReadinessCheck("channels", name, PASS, say.many("%(num)s live", "%(num)s live", len(rows)))


def channel_in_words(say: Language, channel: Channel) -> str:
    """A channel by its marking and its readers."""
    return say("TLP:%(tlp)s to %(audience)s", tlp=channel.tlp.upper(), audience=channel.audience)


def _signing(name: str, record: AuthorityRecord, facts: Facts, until: dt.datetime | None) -> ReadinessCheck:
    """Each algorithm that is required needs a key; the one that ends first decides."""
    keys = [key.record for key in facts.registry.bulletin_keys() if key.authority_id == name]
    ends = [_last([key for key in keys if key.alg == algorithm], facts.now) for algorithm in record.require]
    if None in ends:
        text = facts.say("it has no valid key; propose one: tocsin registry rotate")
        return ReadinessCheck("signing-key", name, FAIL, text)
    living = [end for end in ends if end is not None]
    return _beyond(facts.say, "signing-key", name, living, until, marked("its key"))


def _seal(
    name: str, record: AuthorityRecord, facts: Facts, until: dt.datetime | None
) -> ReadinessCheck | None:
    """Asked of each that has a seal key, or reads an audience whose bulletins are sealed."""
    sealed = [
        audience_name
        for audience_name, audience in sorted(facts.registry.document.audiences.items())
        if audience.seal is not SealPolicy.NEVER and name in audience.members
    ]
    if not record.seal_keys and not sealed:
        return None
    end = _last(record.seal_keys.values(), facts.now)
    if end is None:
        text = (
            facts.say("it has no valid seal key for %(audiences)s", audiences=", ".join(sealed))
            if sealed
            else facts.say("it has no valid seal key for anybody")
        )
        return ReadinessCheck("seal-key", name, FAIL, text)
    return _beyond(facts.say, "seal-key", name, [end], until, marked("its seal key"))


def _last(keys: Iterable[KeyRecord | SealKeyRecord], now: dt.datetime) -> dt.datetime | None:
    """When the last of the valid keys ends; None when none is valid."""
    ends = (k.not_after for k in keys if k.revoked_since is None and k.not_before <= now < k.not_after)
    return max(ends, default=None)


def _contact(name: str, facts: Facts) -> ReadinessCheck:
    if facts.contacts is None:
        text = facts.say("this context names no list of contacts (setting `contacts`)")
        return ReadinessCheck("contacts", name, UNKNOWN, text)
    last = max((contact.confirmed for contact in facts.contacts if contact.authority == name), default=None)
    if last is None:
        return ReadinessCheck("contacts", name, FAIL, facts.say("nobody is listed"))
    days = (facts.now.date() - last).days
    verdict = PASS if 0 <= days <= facts.contact_days else FAIL
    text = facts.say(
        "last confirmed on %(day)s; at most %(most)s days ago", day=last, most=facts.contact_days
    )
    return ReadinessCheck("contacts", name, verdict, text)


def _beyond(
    say: Language, name: str, about: str, ends: Sequence[dt.datetime], until: dt.datetime | None, what: str
) -> ReadinessCheck:
    """Whether something is valid until the vote is over; it ends at the first of these moments."""
    if not ends:
        return ReadinessCheck(name, about, FAIL, say("%(what)s is not valid", what=say.plain(what)))
    end = min(ends)
    if until is None:
        return ReadinessCheck(name, about, UNKNOWN, say("the calendar has no window of the vote itself"))
    if end <= until:
        text = say(
            "%(what)s ends on %(end)s, the vote on %(vote)s",
            what=say.plain(what),
            end=f"{end:%Y-%m-%d}",
            vote=f"{until:%Y-%m-%d}",
        )
        return ReadinessCheck(name, about, FAIL, text)
    return ReadinessCheck(name, about, PASS, say("until %(time)s", time=f"{end:%Y-%m-%d}"))

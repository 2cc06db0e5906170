"""Decides which bulletins of a held chain stand when keys are revoked. Pure.

When the registry (m of n) revokes a key, the dates in bulletins do not count, because a thief chooses his own dates.
Three facts decide that he cannot make:

1. a bulletin by a key that is not revoked stands;
2. so does one that this reader had received before the moment since which its key is revoked;
3. so does one that a standing bulletin continues: that one has the next number on the channel and names its digest.

A revocation statement is signed by one key, which a thief may have too. So it must not reach into the past: by fact 2
it would take from a later reader what others keep. For a statement, dates decide instead:

4. a bulletin that this reader received before it knew of the statement, and that is dated before the moment that the
   statement reaches to, stands outright, as one by a valid key does, unless it follows in its chain one that is dated
   later;
5. a bulletin that came afterwards and is dated before that moment stands *by its date* if it begins its channel or
   continues without a hole what stands. It yields to a bulletin at its place that rests on what this reader itself
   received in time. Otherwise both stand at one place and contradict each other.

So a theft of further keys takes nothing that was received before the thief published, and a later reader sees a
contradiction rather than the thief's choice. A bulletin that stands by its date alone may come from a thief who dates
back on a quiet channel. It vouches only for history by a key out of use, and has no effect on others
(`bus.subscribing.contested`) until a valid key continues it or the registry has spoken.

If several keys signed one bulletin, the keys that the registry requires decide: for each algorithm one that is still
valid, or the one that was revoked or expired last. The bulletin stands only if it stands under each of these. So a
signature added with a stolen key changes nothing. Nor does a statement about one of two keys when the registry revoked
the other.

All other bulletins fall: they go to quarantine as `key-revoked` and lose their place in the chain. The result depends
only on the set of links, not on the order in which they come. A later link may make a fallen bulletin stand again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from bus.errors import TrustError
from bus.trust import Ending, VerifiedRegistry

_Place = tuple[str, int, str | None]
"""Channel, number and digest. A place without a digest has no link, because nothing can name it."""


class ReceivedLink(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin's place in a chain, with its key and when this reader first received it.

    Attributes:
        channel: the channel's name.
        seq: its number there, from 1.
        digest: of its payload.
        prev: the digest it names as the one before it.
        kid: the key that signed it for its issuer.
        received_at: when this reader first had it, by this reader's own clock; aware.
        issued: the time it bears.
        believed: whether, as far as this reader knew at receipt, the keys that decide about it were neither revoked nor
            expired.
        meets: for each algorithm that the registry requires of its issuer, the keys that signed it with that (`keys_met`);
            empty where `kid` alone decides.
    """

    channel: str
    seq: int
    digest: str
    prev: str | None
    kid: str
    received_at: dt.datetime
    issued: dt.datetime
    believed: bool = False
    meets: tuple[tuple[str, ...], ...] = ()

    @property
    def place(self) -> _Place:
        """Channel, number and digest."""
        return self.channel, self.seq, self.digest

    @property
    def before(self) -> _Place:
        """The place of the bulletin that it continues."""
        return self.channel, self.seq - 1, self.prev


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The standing and the fallen links, by digest; each given link is in one of the two.

    Attributes:
        stands: the standing links.
        falls: all others.
        by_date: those of `stands` that only a date vouches for.
    """

    stands: frozenset[str]
    falls: frozenset[str]
    by_date: frozenset[str] = frozenset()


def keys_met(kids: Sequence[str], issuer: str, registry: VerifiedRegistry) -> tuple[tuple[str, ...], ...]:
    """For each algorithm that the registry requires of an issuer, which of the keys that signed are of it.

    A key that the registry no longer lists may count for any algorithm without a listed key. If no requirement is met,
    each key counts.
    """
    try:
        required: Sequence[str] = registry.speaker(issuer).require
    except TrustError:
        required = ()
    algorithms = {kid: key.record.alg for kid in kids if (key := registry.key(kid)) is not None}
    gone = tuple(kid for kid in kids if kid not in algorithms)
    met = (tuple(kid for kid in kids if algorithms.get(kid) == each) or gone for each in required)
    return tuple(filter(None, met)) or tuple((kid,) for kid in kids)


def ending_of(met: Iterable[Sequence[str]], ended: Mapping[str, Ending]) -> Ending | None:
    """How the keys that decide about a bulletin were revoked or expired; None if they are valid.

    Args:
        met: its keys, by algorithm (`keys_met`).
        ended: how each revoked or expired key ended.
    """
    ends = [
        max((ended[kid] for kid in kids), key=lambda end: end.since)
        for kids in met
        if kids and all(kid in ended for kid in kids)
    ]
    if len(ends) < 2:  # as almost always
        return ends[0] if ends else None
    stated = [end for end in ends if end.by_statement]
    firmly = [end.since for end in ends if not end.by_statement]
    over = [end.over for end in stated if end.over is not None]
    return Ending(
        since=min([end.since for end in stated] or firmly),
        by_statement=bool(stated),
        over=min(over + firmly, default=None) if stated else None,
        revoked=any(end.revoked for end in ends),
    )


def standing(links: Iterable[ReceivedLink], ended: Mapping[str, Ending]) -> Ruling:
    """Rule on links: which stand and which fall.

    Args:
        links: every link held of the channels concerned, those in quarantine as `key-revoked` or `fork` included;
            several may claim one place.
        ended: how each revoked or expired key ended (`VerifiedRegistry.ended`).
    """
    given = [
        (link, ending_of(link.meets or ((link.kid,),), ended))
        for link in sorted(links, key=lambda link: link.seq, reverse=True)
    ]
    outright = _outright(given[::-1], _vouched(given))
    stands = _vouched(given, outright)
    by_date = _dated(given[::-1], stands, _firm(given[::-1], stands, outright))
    by_date = _with_history(given, stands, by_date)
    kept = stands | by_date
    return Ruling(
        stands=frozenset(link.digest for link, _ in given if link.place in kept),
        falls=frozenset(link.digest for link, _ in given if link.place not in kept),
        by_date=frozenset(link.digest for link, _ in given if link.place in by_date),
    )


_Ended = tuple[ReceivedLink, Ending | None]
"""A link, and how the keys that decide about it were revoked or expired."""


def _vouched(descending: Iterable[_Ended], outright: Collection[_Place] = ()) -> set[_Place]:
    """Links that stand by facts 1 to 4, without regard to another's date."""
    continued: set[_Place] = set()
    stands: set[_Place] = set()
    for link, end in descending:
        if link.place in continued or link.place in outright or _heard(link, end):
            stands.add(link.place)
            continued.add(link.before)
    return stands


def _heard(link: ReceivedLink, end: Ending | None) -> bool:
    """Facts 1 and 2."""
    return end is None or (not end.by_statement and link.received_at < end.since)


def _is_before(link: ReceivedLink, end: Ending) -> bool:
    """Whether a link is dated before the moment that a statement reaches to, and came in the window of its key."""
    return link.issued < end.since and (end.over is None or link.received_at < end.over)


def _outright(ascending: Iterable[_Ended], stands: Collection[_Place]) -> set[_Place]:
    """Fact 4; `stands` has the links that stand without it."""
    later: set[_Place] = set()
    outright: set[_Place] = set()
    for link, end in ascending:
        if end is None:
            continue
        is_dated = end.by_statement and _is_before(link, end)
        falls = link.before in later or (end.by_statement and link.issued >= end.since)
        if falls and link.place not in stands:
            later.add(link.place)
        elif is_dated and link.believed:
            outright.add(link.place)
    return outright


def _firm(
    ascending: list[_Ended], stands: Collection[_Place], outright: Collection[_Place]
) -> set[tuple[str, int]]:
    """(channel, number) of the links that stand by more than what this reader received after a statement."""
    reach = min((end.since for _, end in ascending if end is not None and end.by_statement), default=None)
    firm: set[_Place] = set()
    for link, _ in ascending:
        known = link.place in outright or (reach is not None and link.received_at < reach)
        if link.place in stands and (known or link.before in firm):
            firm.add(link.place)
    return {(channel, seq) for channel, seq, _ in firm}


def _dated(
    ascending: Iterable[_Ended], stands: Collection[_Place], firm: Collection[tuple[str, int]]
) -> set[_Place]:
    """Fact 5."""
    run = set(stands)
    by_date: set[_Place] = set()
    for link, end in ascending:
        if end is None or link.place in stands or not (link.seq == 1 or link.before in run):
            continue
        if not end.by_statement:
            if not end.revoked:
                run.add(link.place)  # history, if a link that stands by its date continues it
        elif _is_before(link, end) and (link.channel, link.seq) not in firm:
            by_date.add(link.place)
            run.add(link.place)
    return by_date


def _with_history(
    descending: Iterable[_Ended], stands: Collection[_Place], by_date: Collection[_Place]
) -> set[_Place]:
    """Links that stand by their date, with the links before them whose key is only out of use."""
    continued: set[_Place] = set()
    found: set[_Place] = set()
    for link, end in descending:
        out_of_use = end is not None and not end.revoked and link.place not in stands
        if link.place in by_date or (out_of_use and link.place in continued):
            found.add(link.place)
            continued.add(link.before)
    return found

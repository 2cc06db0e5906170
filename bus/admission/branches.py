"""What of a held chain stands when keys are revoked: who was heard in time, and who is continued by a valid key. Pure.

Where m of n, the registry, have ended a key, no date in a bulletin decides, since a thief may date his bulletins as he
likes. Three facts do, which he cannot make:

1. a bulletin by a key that is not revoked stands;
2. so does one that this reader had received before the moment since which its key is revoked;
3. so does one that a standing bulletin continues: the next number on the channel, naming its digest.

A revocation statement is the word of one key, which a thief may have too, so it must not reach into the past: 2 would
let it take from a reader that comes later what others keep. There dates decide instead, the same for every reader:

4. a bulletin stands *by its date* when it is dated before the moment that the statement reaches to, unless it follows in
   its chain one that is dated later, or a bulletin that stands without a date is at its place.

What stands by its date alone may be a thief's who dates back on a quiet channel. So it vouches for nothing but history
by a key out of use, and has no effect on others (`bus.subscribing.contested`) until a valid key continues it or the
registry has spoken.

The rest falls: it goes to quarantine as `key-revoked` and gives up its place in the chain. What stands depends on the set
of links alone, not on the order in which they come; a later one may raise what had fallen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping

import msgspec

from bus.trust import Ending

_Place = tuple[str, int, str | None]
"""Channel, number and digest; no link is at a place without a digest, which nothing can name."""


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
    """

    channel: str
    seq: int
    digest: str
    prev: str | None
    kid: str
    received_at: dt.datetime
    issued: dt.datetime

    @property
    def place(self) -> _Place:
        """Channel, number and digest."""
        return self.channel, self.seq, self.digest

    @property
    def before(self) -> _Place:
        """The place of the bulletin that it continues."""
        return self.channel, self.seq - 1, self.prev


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What stands and what falls, by digest; each link given is in one of them.

    Attributes:
        stands: what stands.
        falls: all others.
        by_date: of those that stand, those that nothing but a date vouches for.
    """

    stands: frozenset[str]
    falls: frozenset[str]
    by_date: frozenset[str] = frozenset()


def ended_first(kids: Iterable[str], ended: Mapping[str, Ending]) -> str:
    """Of the keys with which an issuer has signed, the one that decides: the one that ended first, if any has."""
    given = tuple(kids)
    over = [kid for kid in given if kid in ended]
    return min(over, key=lambda kid: ended[kid].since) if over else next(iter(given), "")


def standing(links: Iterable[ReceivedLink], ended: Mapping[str, Ending]) -> Ruling:
    """Which links stand.

    Args:
        links: every link held of the channels concerned, those in quarantine as `key-revoked` or `fork` included;
            several may claim one place.
        ended: how each key that is believed no more has ended (`VerifiedRegistry.ended`).
    """
    given = sorted(links, key=lambda link: link.seq, reverse=True)
    stands = _vouched(given, ended)
    by_date = _dated(given, ended, stands)
    by_date |= _history(given, ended, stands, by_date)
    return Ruling(
        stands=frozenset(link.digest for link in given if link.place in stands | by_date),
        falls=frozenset(link.digest for link in given if link.place not in stands | by_date),
        by_date=frozenset(link.digest for link in given if link.place in by_date),
    )


def _vouched(descending: Iterable[ReceivedLink], ended: Mapping[str, Ending]) -> set[_Place]:
    """Facts 1 to 3: what stands without regard to a date."""
    continued: set[_Place] = set()
    stands: set[_Place] = set()
    for link in descending:
        end = ended.get(link.kid)
        heard = end is None or (not end.by_statement and link.received_at < end.since)
        if heard or link.place in continued:
            stands.add(link.place)
            continued.add(link.before)
    return stands


def _dated(
    descending: list[ReceivedLink], ended: Mapping[str, Ending], stands: Collection[_Place]
) -> set[_Place]:
    """Fact 4: what stands by its date."""
    taken = {(channel, seq) for channel, seq, _ in stands}
    withdrawn: set[_Place] = set()
    by_date: set[_Place] = set()
    for link in reversed(descending):
        end = ended.get(link.kid)
        if link.place in stands or end is None or not end.by_statement:
            continue
        if link.issued >= end.since or link.before in withdrawn or (link.channel, link.seq) in taken:
            withdrawn.add(link.place)
        elif end.over is None or link.received_at < end.over:
            by_date.add(link.place)
    return by_date


def _history(
    descending: Iterable[ReceivedLink],
    ended: Mapping[str, Ending],
    stands: Collection[_Place],
    by_date: Collection[_Place],
) -> set[_Place]:
    """What a key that is merely out of use has signed, and what stands by its date continues."""
    continued: set[_Place] = set()
    found: set[_Place] = set()
    for link in descending:
        end = ended.get(link.kid)
        out_of_use = end is not None and not end.revoked and link.place not in stands
        if link.place in by_date or (out_of_use and link.place in continued):
            found.add(link.place)
            continued.add(link.before)
    return found

"""What of a held chain stands when keys are revoked: who was heard in time, and who is continued by a valid key. Pure.

A thief may date his bulletins as he likes, so no date in a bulletin decides. Three facts do, which he cannot make:

1. a bulletin by a key that is not revoked stands;
2. so does one that this reader had received before the moment since which its key is revoked;
3. so does one that a standing bulletin continues: the next number on the channel, naming its digest.

The rest of a revoked key, the thief's branch, falls: it goes to quarantine as `key-revoked` and gives up its place in
the chain. More links never make a standing one fall, so it does not matter in which order they come; a later one may
raise what had fallen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import msgspec


class ReceivedLink(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin's place in a chain, with its key and when this reader first received it.

    Attributes:
        channel: the channel's name.
        seq: its number there, from 1.
        digest: of its payload.
        prev: the digest it names as the one before it.
        kid: the key that signed it for its issuer.
        received_at: when this reader first had it, by this reader's own clock; aware.
    """

    channel: str
    seq: int
    digest: str
    prev: str | None
    kid: str
    received_at: dt.datetime


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What stands and what falls, by digest; each link given is in one of them."""

    stands: frozenset[str]
    falls: frozenset[str]


def standing(links: Iterable[ReceivedLink], revoked: Mapping[str, dt.datetime]) -> Ruling:
    """Which links stand.

    Args:
        links: every link held of the channels concerned, those in quarantine as `key-revoked` or `fork` included;
            several may claim one place.
        revoked: since when each revoked key is not believed (`VerifiedRegistry.revoked`).
    """
    given = sorted(links, key=lambda link: link.seq, reverse=True)
    continued: set[tuple[str, int, str]] = set()  # what a standing link names: channel, number, digest
    stands: set[str] = set()
    falls: set[str] = set()
    for link in given:
        since = revoked.get(link.kid)
        if since is None or link.received_at < since or (link.channel, link.seq, link.digest) in continued:
            stands.add(link.digest)
            if link.prev is not None:
                continued.add((link.channel, link.seq - 1, link.prev))
        else:
            falls.add(link.digest)
    return Ruling(stands=frozenset(stands), falls=frozenset(falls))

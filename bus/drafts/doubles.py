"""Finds drafts that were published a short time ago, by a file of digests beside the outbox. Pure.

The outbox holds signed bulletins, each with its own number and time, and some sealed. So the digest of the draft is
kept apart. It helps a person and promises nothing: a lost or damaged file forgets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from schemas.bulletin import Defaults, Draft
from schemas.codec import encode

REMEMBERED_S = 6 * 3600
"""Seconds in which a second publishing of the same draft is asked about."""
MOST = 1000
"""The number of drafts remembered, newest first."""
MOST_BYTES = MOST * 160


class Before(msgspec.Struct, frozen=True):
    """A draft that was accepted.

    Attributes:
        at: time of acceptance, in seconds since 1970.
        digest: of the draft with its defaults (`asked_for`).
        id: of the bulletin made from it.
    """

    at: int
    digest: str
    id: str


def asked_for(draft: Draft, given: Defaults) -> str:
    """A digest of a draft together with the context's values for the fields it leaves out; equal for equal drafts."""
    whole = msgspec.structs.replace(
        draft,
        tlp=draft.tlp or given.tlp,
        pap=draft.pap or given.pap,
        audience=draft.audience or given.audience,
    )
    return hashlib.sha256(encode(whole)).hexdigest()[:32]


def remembered(raw: bytes, now: float) -> dict[str, Before]:
    """The recent drafts by their digests; malformed lines are skipped.

    Args:
        raw: the bytes of the file.
        now: seconds since 1970.
    """
    found: dict[str, Before] = {}
    for line in raw[-MOST_BYTES:].decode("ascii", "replace").splitlines():
        at, _, rest = line.partition("\t")
        digest, _, id_ = rest.partition("\t")
        if at.isascii() and at.isdigit() and len(at) < 12 and digest and id_:
            each = Before(int(at), digest, id_)
            if -60 <= now - each.at <= REMEMBERED_S:
                found[digest] = each
    return found


def with_new(raw: bytes, new: Iterable[Before], now: float) -> bytes:
    """The bytes of the file with the new entries, without those that are too old or too many."""
    known = remembered(raw, now)
    for each in new:
        known.pop(each.digest, None)
        known[each.digest] = each
    lines = [f"{each.at}\t{each.digest}\t{each.id}\n" for each in known.values()]
    return "".join(lines[-MOST:]).encode()

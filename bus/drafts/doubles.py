"""Finds drafts that were published a short time ago, by a file of digests beside the outbox. Pure.

The outbox holds signed bulletins, each with its own number and time, and some sealed. So the digest of the draft is
kept apart. It helps a person and promises nothing: a lost or damaged file forgets everything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec

from schemas.bulletin import Defaults, Draft
from schemas.codec import encode

REMEMBERED_S = 6 * 3600
"""Seconds in which a second publishing of the same draft is asked about."""
MOST = 1000
"""The number of drafts remembered, newest first."""
MOST_BYTES = MOST * 160
_FILE = re.compile(rb"(?:[0-9]{1,11}\t[!-~]{1,64}\t[!-~]{1,64}\n)*+")


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
    """The recent drafts by their digests; empty if the file is damaged (`is_damaged`).

    Args:
        raw: the bytes of the file.
        now: seconds since 1970.
    """
    found: dict[str, Before] = {}
    if is_damaged(raw):
        return found
    for line in raw.splitlines():
        at, digest, id_ = line.decode("ascii").split("\t")
        each = Before(int(at), digest, id_)
        if -60 <= now - each.at <= REMEMBERED_S:
            found[digest] = each
    return found


def is_damaged(raw: bytes) -> bool:
    """Whether a file is not one that `with_new` writes: a line is malformed or cut off, or the file is too long."""
    return len(raw) > MOST_BYTES or _FILE.fullmatch(raw) is None


def with_new(raw: bytes, new: Iterable[Before], now: float) -> bytes:
    """The bytes of the file with the new entries, without those that are too old or too many."""
    known = remembered(raw, now)
    for each in new:
        known.pop(each.digest, None)
        known[each.digest] = each
    lines = [f"{each.at}\t{each.digest}\t{each.id}\n" for each in known.values()]
    return "".join(lines[-MOST:]).encode()

"""Whether a draft was asked for a short time ago: what is remembered of it, in lines of a file beside the outbox. Pure.

The outbox holds what was signed, which has a number and a time of its own and may be sealed; so what was asked for is
remembered apart, as a digest. It is a help to a person and no promise: a file that is lost or damaged forgets, all of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec

from schemas.bulletin import Defaults, Draft
from schemas.codec import encode

REMEMBERED_S = 6 * 3600
"""So long a draft counts as the same that was sent before."""
MOST = 1000
"""So many drafts are remembered, the newest."""
MOST_BYTES = MOST * 160
_FILE = re.compile(rb"(?:[0-9]{1,11}\t[!-~]{1,64}\t[!-~]{1,64}\n)*+")


class Before(msgspec.Struct, frozen=True):
    """A draft that was accepted.

    Attributes:
        at: when, in seconds since 1970.
        digest: of what was asked for (`asked_for`).
        id: of the bulletin that came of it.
    """

    at: int
    digest: str
    id: str


def asked_for(draft: Draft, given: Defaults) -> str:
    """A digest of what a draft asks for, with what the context gives for what it leaves out; the same for the same draft."""
    whole = msgspec.structs.replace(
        draft,
        tlp=draft.tlp or given.tlp,
        pap=draft.pap or given.pap,
        audience=draft.audience or given.audience,
    )
    return hashlib.sha256(encode(whole)).hexdigest()[:32]


def remembered(raw: bytes, now: float) -> dict[str, Before]:
    """What was asked for lately, by its digest; nothing where the file is damaged (`is_damaged`).

    Args:
        raw: the file as it is.
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
    """Whether a file is not what `with_new` makes: a line is none, or cut off, or there is too much."""
    return len(raw) > MOST_BYTES or _FILE.fullmatch(raw) is None


def with_new(raw: bytes, new: Iterable[Before], now: float) -> bytes:
    """The file with what was accepted now, without what is too old, or too much."""
    known = remembered(raw, now)
    for each in new:
        known.pop(each.digest, None)
        known[each.digest] = each
    lines = [f"{each.at}\t{each.digest}\t{each.id}\n" for each in known.values()]
    return "".join(lines[-MOST:]).encode()

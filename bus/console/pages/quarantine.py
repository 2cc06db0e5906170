"""Quarantine: what was refused and is kept as evidence."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter
from itertools import islice

import msgspec

from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages import clocks, evidence
from bus.hub.picture import refused, summary
from bus.languages import marked
from schemas.errors import SchemaError
from schemas.subject import Channel, parse
from schemas.vocab import Tlp

MOST, MOST_LANES = 100, 20
"""So many are listed; of so many times as many the newest of each author are found."""
DAY_S = 86_400
WORDS = {
    "bad-signature": marked("The signature does not fit the content. It was altered, or is forged."),
    "unknown-key": marked("No key of the registry has signed it."),
    "misaddressed": marked("It came on another subject than its content says."),
    "fork": marked("Its issuer has said two things at one place; this is the second."),
    "not-permitted": marked("No grant lets this issuer say this to this audience."),
    "key-revoked": marked("The key that signed it is revoked."),
    "key-ended": marked("It came after the window of its key."),
    "key-not-valid": marked("It was issued outside the window of its key."),
    "wrong-issuer": marked("The issuer that it names has not signed it."),
    "signature-policy": marked("A signature that the registry requires is missing."),
    "too-large": marked("It is larger than any bulletin may be."),
    "schema": marked("It is not a bulletin by its types and bounds."),
    "malformed-envelope": marked("Its signature header cannot be read."),
    "malformed-payload": marked("Its content cannot be read."),
    "hint-mismatch": marked("A header contradicts what is signed."),
    "wrong-domain": marked("It was signed for another network."),
    "unknown-type": marked("The signature was made for something else."),
    "empty": marked("It has no content."),
    "rule": marked("It breaks a rule of the wire."),
    "wrong-algorithm": marked("It was signed by another algorithm than the registry names for that key."),
    "duplicate-member": marked(
        "Its content says one thing twice, so that two readers could read two things."
    ),
    "replayed-id": marked("Another bulletin already has its id."),
    "broken-chain": marked("The bulletin before it is another one than it says."),
}
"""What a reason code says to a tired person; a code without words stands for itself."""
_FORGED = marked(
    "Somebody on its way may have altered or forged it. Do not act on it; ask the authority by telephone, and tell the operator."
)
_UNKNOWN = marked(
    "It is judged again with the next version of the registry. Until then do not act on it; ask the authority whether it has a new key or grant."
)
_OVER = marked(
    "Do not act on it. Ask the authority by telephone whether it said this, and to say it again with a key that holds."
)
_BROKEN = marked(
    "Tell the authority the code and the detail, so that it mends its program and sends it again."
)
_CONTRADICTED = marked(
    "Act on neither of the two before you have telephoned: the authority contradicts itself, or its key is stolen."
)
TO_DO = {
    **dict.fromkeys(("bad-signature", "misaddressed", "hint-mismatch", "wrong-domain", "wrong-algorithm", "unknown-type"), _FORGED),
    **dict.fromkeys(
        ("unknown-key", "wrong-issuer", "key-not-valid", "signature-policy", "not-permitted"), _UNKNOWN
    ),
    **dict.fromkeys(("key-revoked", "key-ended"), _OVER),
    **dict.fromkeys(
        ("empty", "too-large", "malformed-envelope", "malformed-payload", "duplicate-member", "schema", "rule"), _BROKEN
    ),
    **dict.fromkeys(("fork", "replayed-id", "broken-chain"), _CONTRADICTED),
}  # fmt: skip
"""What to do about it, by the code."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One refused message: its claimed channel is a claim, nothing more; so are `name`, `tlp` and `audience`, which are empty where it claims none."""

    at: dt.datetime
    reason: str
    words: str
    to_do: str
    detail: str
    claimed: str
    name: str
    tlp: str
    audience: str
    digest: str


class Quarantine(Content, frozen=True, kw_only=True):
    """The page.

    Attributes:
        hidden: how many refusals are left out: above the ceiling of the reader, said to one of the reader's audiences, or claiming none.
        is_cut_short: whether there are older ones.
        may_take: whether the reader may take the messages away as files.
    """

    refused: tuple[Refused, ...]
    hidden: int
    day: int
    by_reason: dict[str, int]
    is_cut_short: bool
    may_take: bool


def look(asked: Asked) -> Quarantine:
    """The newest refusals that the reader may see; those of one author take half of the room at most while there are others."""
    found, lanes, hidden = [], [], 0
    most = asked.most or MOST
    for channel in refused.channels(asked.db):
        if may_see(asked, channel):
            lanes.append(refused.newest(asked.db, channel, most + 1))
        elif _is_above(asked, channel):
            hidden += refused.lately(asked.db, channel, 0.0, most)
    newest = islice(heapq.merge(*lanes, key=_at, reverse=True), MOST_LANES * most)
    every = clocks.fairly(newest, _claimant, most // 2)
    for row in sorted(every[:most], key=_at, reverse=True):
        claim = _claimed(row.channel, row.subject)
        code = row.reason.partition(":")[0]
        found.append(
            Refused(
                at=row.at,
                reason=row.reason,
                words=asked.say.plain(WORDS[code]) if code in WORDS else row.reason,
                to_do=asked.say.plain(TO_DO[code]) if code in TO_DO else "",
                detail=row.detail,
                claimed=row.channel or row.subject,
                name=asked.name_of(claim.issuer) if claim is not None else "",
                tlp=str(claim.tlp) if claim is not None else "",
                audience=claim.audience if claim is not None else "",
                digest=row.digest,
            )
        )
    return Quarantine(
        marking=str(asked.clearance.ceiling) if found else "green",
        note=asked.say("What stands here was refused. None of it is shown anywhere else as if it were true."),
        refused=tuple(found),
        hidden=hidden,
        day=refused_in_a_day(asked),
        by_reason=dict(sorted(Counter(each.reason for each in found).items())),
        is_cut_short=len(every) > most,
        may_take=evidence.may_take(asked),
    )


def refused_in_a_day(asked: Asked) -> int:
    """How many refusals of the last 24 hours the reader may see; of one channel so many at most."""
    since = asked.now.timestamp() - DAY_S
    return sum(
        refused.lately(asked.db, channel, since)
        for channel in refused.channels(asked.db)
        if may_see(asked, channel)
    )


def _at(row: summary.Quarantined) -> dt.datetime:
    return row.at


def _claimant(row: summary.Quarantined) -> str:
    """Whom a refusal claims to be from, as the store has proven it."""
    return (row.channel or "").partition("/")[0]


def _claimed(channel: str | None, subject: str) -> Channel | None:
    """The channel that a message claims, by itself or by where it came; None where that is none."""
    try:
        return Channel.parse(channel) if channel else parse(subject).channel
    except SchemaError:
        return None


def _is_above(asked: Asked, channel: str | None) -> bool:
    """Whether the reader is told that a refusal is hidden: what is said to others is not counted."""
    try:
        return channel is None or Channel.parse(channel).audience in asked.clearance.audiences
    except SchemaError:
        return True


def may_see(asked: Asked, channel: str | None) -> bool:
    """Whether a refusal may be shown: by the channel that it claims. What claims none is for those who may read everything."""
    if channel is None:
        return asked.clearance.reaches(Tlp.AMBER_STRICT)
    return asked.clearance.sees_channel(channel)

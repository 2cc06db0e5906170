"""Quarantine: what was refused and is kept as evidence."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import msgspec

from bus.console.asked import Asked
from bus.console.page import Content
from bus.hub.picture import summary
from bus.languages import marked
from schemas.errors import SchemaError
from schemas.subject import Channel, parse
from schemas.vocab import Tlp

MOST = 200
WORDS = {
    "bad-signature": marked("The signature does not fit the content. It was altered, or is forged."),
    "unknown-key": marked("No key of the registry has signed it."),
    "misaddressed": marked("It came on another subject than its content says."),
    "fork": marked("Its issuer has said two things at one place; this is the second."),
    "duplicate": marked("It came a second time."),
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
}
"""What a reason code says to a tired person; a code without words stands for itself."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One refused message: its claimed channel is a claim, nothing more; so are `name`, `tlp` and `audience`, which are empty where it claims none."""

    at: dt.datetime
    reason: str
    words: str
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
    """

    refused: tuple[Refused, ...]
    hidden: int
    day: int
    by_reason: dict[str, int]
    is_cut_short: bool


def look(asked: Asked) -> Quarantine:
    """The newest refusals that the reader may see."""
    found, hidden = [], 0
    day = asked.now - dt.timedelta(days=1)
    most = asked.most or MOST
    every = summary.quarantine(asked.db, most + 1)
    for row in every[:most]:
        if not may_see(asked, row.channel):
            hidden += _is_above(asked, row.channel)
            continue
        claim = _claimed(row.channel, row.subject)
        words = WORDS.get(row.reason.partition(":")[0], row.reason)
        found.append(
            Refused(
                at=row.at,
                reason=row.reason,
                words=asked.say.plain(words),
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
        day=sum(each.at > day for each in found),
        by_reason=dict(sorted(Counter(each.reason for each in found).items())),
        is_cut_short=len(every) > most,
    )


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

"""Proof that an authority has contradicted itself: two of its signed bulletins that cannot both stand. Pure.

Either both are at one place of one chain, or one is a heartbeat that names another bulletin at the other's place. The
proof needs nobody's word: whoever holds the registry checks the two signatures. That a key has ended since, or that one of
the two breaks a rule, takes nothing from it.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.admission.steps import verify_file
from bus.errors import AdmissionError
from bus.trust import VerifiedRegistry
from schemas.bodies.system import ChannelStatus
from schemas.bulletin import Bulletin
from schemas.codec import decode, digest
from schemas.envelope import TYP_BULLETIN, Context, read_contradiction, read_signed
from schemas.errors import EnvelopeError
from schemas.subject import Channel, channel_of


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two bulletins, its signature checked."""

    digest: str
    kids: tuple[str, ...]
    bulletin: Bulletin

    @property
    def channel(self) -> Channel:
        """The channel it was said on."""
        return channel_of(self.bulletin)


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """What is proved: at which place of which chain, and by which two bulletins."""

    channel: Channel
    seq: int
    sides: tuple[Side, Side]


def judge_proof(raw: bytes, *, registry: VerifiedRegistry, now: dt.datetime) -> Contradiction:
    """What a file of two signed bulletins proves.

    Raises:
        AdmissionError: `malformed-envelope`; the reason for which one of them is not its issuer's word; `no-fork`, when
            both may stand.
    """
    try:
        files = read_contradiction(raw)
    except EnvelopeError as exc:
        raise AdmissionError(str(exc), reason=exc.reason) from None
    one, other = (_side(each, registry, now) for each in files)
    for first, second in ((one, other), (other, one)):
        if first.bulletin.issuer.id == second.bulletin.issuer.id and _denies(first, second):
            return Contradiction(channel=second.channel, seq=second.bulletin.seq, sides=(one, other))
    raise AdmissionError("the two bulletins do not contradict each other", reason="no-fork")


def _denies(one: Side, other: Side) -> bool:
    """Whether one says that another bulletin is at the other's place."""
    if one.channel == other.channel and one.bulletin.seq == other.bulletin.seq:
        return one.digest != other.digest
    body = one.bulletin.body
    return isinstance(body, ChannelStatus) and any(
        head.channel == other.channel.name
        and head.seq == other.bulletin.seq
        and head.digest not in (None, other.digest)
        for head in body.heads
    )


def _side(raw: bytes, registry: VerifiedRegistry, now: dt.datetime) -> Side:
    try:
        kids = verify_file(raw, registry=registry, now=now, continued=True).signer_kids
    except AdmissionError as exc:
        if exc.place is None:  # else its issuer did say it, whatever is wrong with it
            raise
        kids = exc.place.kids
    payload = read_signed(raw, Context(TYP_BULLETIN, registry.domain)).payload
    return Side(digest=digest(payload), kids=kids, bulletin=decode(payload))

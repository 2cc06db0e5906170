"""Proof that an authority contradicts itself: two of its signed bulletins that cannot both stand. Pure.

Either both are at one place of one chain, or one is a heartbeat that names another bulletin at the other's place. The
proof needs no trust in its bearer: anybody with the registry can check the two signatures. It stays valid if a key is
later revoked or expires, and if one of the two breaks a rule.
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
        """The channel that it was published on."""
        return channel_of(self.bulletin)


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """The channel and number of the contradiction, and its two bulletins."""

    channel: Channel
    seq: int
    sides: tuple[Side, Side]


def judge_proof(raw: bytes, *, registry: VerifiedRegistry, now: dt.datetime) -> Contradiction:
    """Judge a file of two signed bulletins and return the contradiction that it proves.

    Raises:
        AdmissionError: `malformed-envelope`; the reason why one of them is not proven to be its issuer's; `no-fork`, if
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
    """Whether the first is a heartbeat that names another bulletin at the place of the second."""
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
        if exc.place is None:  # otherwise its issuer did publish it, even if a rule refuses it
            raise
        kids = exc.place.kids
    payload = read_signed(raw, Context(TYP_BULLETIN, registry.domain)).payload
    return Side(digest=digest(payload), kids=kids, bulletin=decode(payload))

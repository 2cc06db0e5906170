"""Requests: a reader asks for single missing bulletins and gets help. Pure.

It asks their issuer to send them again, or another hub for copies. Both requests are ordinary bulletins of status
`system`, addressed as receipts are (`bus.trust.receipt_grants`). So they are signed and chained, use the same ways as
bulletins, and a withheld one is noticed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bus.admission import Message, verify_file
from bus.errors import AdmissionError
from bus.trust import VerifiedRegistry, receipt_grants
from schemas.bodies.system import Copy, Receipt, Request, Wanted, receipt_tlp
from schemas.bulletin import Draft
from schemas.codec import decode, digest
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, Context, format_header, read_signed
from schemas.parts import Info
from schemas.subject import Channel, channel_of, subject_for
from schemas.vocab import Pap, Status, Tlp

FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 86_400.0
"""Longest wait in seconds between two requests for one place (docs/threat-model.md, "a place that does not come")."""
MOST_TRIES = 16
"""Most requests for one place, in about five days; then none until it is forgotten (`missing.FORGET_S`)."""
STREAM = "copy"
"""The source name of a message in another hub's copy."""


class Lack(NamedTuple):
    """A missing bulletin: its place, and the other hubs that claim to hold the channel that far or this very bulletin."""

    channel: Channel
    seq: int
    digest: str | None
    holders: tuple[str, ...]


class Asked(NamedTuple):
    """The requests for a bulletin: their number, the time of the last in seconds since the epoch, and the peer."""

    times: int
    at: float
    whom: str


Place = tuple[str, int, str | None]


def place(lack: Lack) -> Place:
    """The key of a lack."""
    return str(lack.channel), lack.seq, lack.digest


def may_say(registry: VerifiedRegistry, me: str, kind: str, whom: str, tlp: Tlp) -> bool:
    """Whether one authority may send this kind to another, at the TLP of a receipt for this TLP, and the other reads it."""
    way = (receipt_tlp(tlp), whom)
    to = Channel(issuer=me, status=Status.SYSTEM, tlp=way[0], audience=whom)
    return way in receipt_grants.ways(registry, me, kind) and registry.may_read(whom, to)


def whom(lack: Lack, last: Asked | None, registry: VerifiedRegistry, me: str) -> str | None:
    """The next peer to ask: each hub that claims the bulletin, then its issuer, in turns. None if there is no peer.

    An issuer's resend goes to everybody, a copy only to the asker. Only a peer that has another bulletin than the held
    one can show it.
    """
    tlp = lack.channel.tlp
    candidates: tuple[str, ...] = (*lack.holders, *(() if lack.digest else (lack.channel.issuer,)))
    able = [peer for peer in candidates if may_say(registry, me, receipt_grants.REQUEST, peer, tlp)]
    if not able:
        return None
    return able[(able.index(last.whom) + 1) % len(able)] if last and last.whom in able else able[0]


def due(lacks: Sequence[Lack], asked: Mapping[Place, Asked], now: float) -> list[Lack]:
    """The missing bulletins to request now: at once, then after doubling waits up to a day, `MOST_TRIES` times."""
    return [lack for lack in lacks if not _waits(asked.get(place(lack)), now)]


def _waits(last: Asked | None, now: float) -> bool:
    if last is None:
        return False
    if last.times >= MOST_TRIES:
        return True
    # The elapsed time is negative if the clock was set back.
    return 0 <= now - last.at < min(FIRST_WAIT_S * 2.0 ** min(last.times - 1, 20), LONGEST_WAIT_S)


def request(addressee: str, tlp: Tlp, lacks: Sequence[Lack]) -> Draft:
    """The request to one peer for bulletins of one TLP."""
    return addressed(
        addressee,
        receipt_tlp(tlp),
        f"Request: {plural(len(lacks))} missing here",
        "This reader lacks them: their issuer is asked to send them again, another reader for copies.",
        Request(
            items=tuple(Wanted(channel=str(lack.channel), seq=lack.seq, digest=lack.digest) for lack in lacks)
        ),
    )


def copy(addressee: str, channel: Channel, seq: int, file: bytes) -> Draft:
    """The copy of one signed bulletin of another authority, as it came, for the peer that asked for it."""
    return addressed(
        addressee,
        receipt_tlp(channel.tlp),
        f"Copy: number {seq} of {channel.issuer}",
        "A signed bulletin, handed on unchanged because it was requested.",
        Copy(file=file.decode().strip()),
    )


def addressed(addressee: str, tlp: Tlp, headline: str, summary: str, body: Request | Copy | Receipt) -> Draft:
    """A bulletin of status `system` to one authority."""
    return Draft(
        info=(Info(lang="en", headline=headline, summary=summary),),
        body=body,
        status=Status.SYSTEM,
        tlp=tlp,
        pap=Pap.GREEN,
        audience=addressee,
    )


def plural(count: int) -> str:
    """A number of bulletins in words, for a headline."""
    return f"{count} bulletin{'s' if count != 1 else ''}"


class Handed(NamedTuple):
    """A bulletin from a copy: its place, and the message that it would have come as."""

    channel: Channel
    seq: int
    message: Message


def handed(file: str, *, registry: VerifiedRegistry, now: dt.datetime) -> Handed:
    """The bulletin in a copy whose issuer's signature verifies; admission decides on it later.

    Raises:
        AdmissionError: with one of its `REASONS`; nothing in the copy can be trusted.
    """
    raw = file.encode()
    try:
        verify_file(raw, registry=registry, now=now, continued=True)
    except AdmissionError as exc:
        if exc.place is None:  # otherwise its issuer did sign it, even if a rule refuses it
            raise
    signed = read_signed(raw, Context(TYP_BULLETIN, registry.domain))
    bulletin = decode(signed.payload)
    return Handed(
        channel=channel_of(bulletin),
        seq=bulletin.seq,
        message=Message(
            subject=subject_for(bulletin),
            headers=((SIG_HEADER, format_header(signed.entries)),),
            payload=signed.payload,
            stream=STREAM,
            stream_seq=0,
            digest=digest(signed.payload),
        ),
    )

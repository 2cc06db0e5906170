"""How far a bulletin has come, by what hubs have said: accepted, stored, received, read; and withdrawn. Pure.

Only hubs that must have a bulletin count. A later stage says the earlier too: who has read it has received it. The order
in which receipts come, and how often, makes no difference; the earliest time of each stage stands.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from bus.policy import Deadlines, steps
from schemas.vocab import ReceiptStage


class DeliveryState(StrEnum):
    """The ladder's words."""

    ACCEPTED = "accepted"
    STORED = "stored"
    RECEIVED = "received"
    READ = "read"


_RECEIVED = frozenset(ReceiptStage) - {ReceiptStage.KEPT}
"""Who says one of these has admitted the bulletin; `kept` alone may be quarantine."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin as its author's outbox knows it; `withdrawn` is when its withdrawal was stored."""

    id: str
    digest: str
    channel: str
    seq: int
    priority: str
    phase: str
    accepted: dt.datetime
    stored: dt.datetime | None
    withdrawn: dt.datetime | None = None
    is_cancelled: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One stage that one reader has confirmed."""

    reader: str
    stage: ReceiptStage
    at: dt.datetime


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """What one hub that must have a bulletin has confirmed, and when. `mute`: it has no key or grant to answer with."""

    reader: str
    received: dt.datetime | None
    read: dt.datetime | None
    withdrawn: dt.datetime | None
    mute: bool


class DeliveryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bulletin stands; `missing` has not confirmed the next state, `unconfirmed` not the withdrawal."""

    said: Sent
    state: DeliveryState
    readers: tuple[Reader, ...]
    missing: tuple[str, ...]
    unconfirmed: tuple[str, ...]


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """A hub that has not answered in time, and whom to ask next; `contact` is None when the registry names nobody."""

    id: str
    digest: str
    channel: str
    priority: str
    phase: str
    what: str
    reader: str
    due: dt.datetime
    step: int
    contact: str | None
    mute: bool


def delivery_status(
    said: Sent, answers: Iterable[Answer], required: Iterable[str], mute: Iterable[str]
) -> DeliveryStatus:
    """What answers amount to.

    Args:
        said: the bulletin.
        answers: in any order; those of others than `required` count for nothing.
        required: the hubs that must have it (`bus.trust.receipt_grants.required`).
        mute: those of them that cannot answer.
    """
    first: dict[tuple[str, ReceiptStage], dt.datetime] = {}
    for answer in answers:
        key = (answer.reader, answer.stage)
        first[key] = min(answer.at, first.get(key, answer.at))
    silent = frozenset(mute)
    readers = tuple(
        Reader(
            reader=name,
            received=min((first[name, s] for s in _RECEIVED if (name, s) in first), default=None),
            read=first.get((name, ReceiptStage.ACKNOWLEDGED)),
            withdrawn=first.get((name, ReceiptStage.WITHDRAWN)),
            mute=name in silent,
        )
        for name in sorted(set(required))
    )
    unreceived = tuple(reader.reader for reader in readers if reader.received is None)
    unread = tuple(reader.reader for reader in readers if reader.read is None)
    shown = tuple(reader.reader for reader in readers if reader.withdrawn is None)
    if readers and not unread:
        state = DeliveryState.READ
    elif readers and not unreceived:
        state = DeliveryState.RECEIVED
    else:
        state = DeliveryState.ACCEPTED if said.stored is None else DeliveryState.STORED
    return DeliveryStatus(
        said=said,
        state=state,
        readers=readers,
        missing=unreceived or unread,
        unconfirmed=shown if said.is_cancelled else (),
    )


def overdue(
    status: DeliveryStatus, now: dt.datetime, deadlines: Deadlines, contacts: Mapping[str, Sequence[str]]
) -> tuple[Overdue, ...]:
    """Who has not answered in time, and whom to ask. Each time the deadline has passed again it is the next contact.

    Args:
        status: where the bulletin stands.
        now: the present.
        deadlines: by priority and phase.
        contacts: whom to ask at each hub, the first first.
    """
    said, allowed = status.said, deadlines[status.said.priority, status.said.phase]
    unreceived = [reader for reader in status.readers if reader.received is None]
    received = [reader for reader in status.readers if reader.received is not None]
    unread = [reader for reader in received if reader.read is None]
    shown = [reader for reader in received if reader.withdrawn is None]
    # A bulletin that was withdrawn need not be read any more; its withdrawal must arrive as it had to.
    readable = None if said.is_cancelled else said.stored
    asked = (
        (str(DeliveryState.RECEIVED), said.stored, allowed.received_s, unreceived),
        (str(DeliveryState.READ), readable, allowed.read_s, unread),
        (str(ReceiptStage.WITHDRAWN), said.withdrawn, allowed.received_s, shown),
    )
    late = []
    for what, since, seconds, readers in asked:
        if since is None or seconds is None or not (step := steps(since, now, seconds)):
            continue
        for reader in readers:
            names = contacts.get(reader.reader, ())
            late.append(
                Overdue(
                    id=said.id,
                    digest=said.digest,
                    channel=said.channel,
                    priority=said.priority,
                    phase=said.phase,
                    what=what,
                    reader=reader.reader,
                    due=since + dt.timedelta(seconds=seconds),
                    step=step,
                    contact=names[min(step, len(names)) - 1] if names else None,
                    mute=reader.mute,
                )
            )
    return tuple(late)

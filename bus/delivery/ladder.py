"""The delivery state of a bulletin by the receipts of hubs: accepted, stored, received, read; and withdrawn. Pure.

Only hubs that must have a bulletin count. A later stage implies the earlier ones: a hub that has read it has received
it. The order and number of receipts make no difference; the earliest time of each stage counts.
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
"""Stages that imply admission of the bulletin; `kept` alone may mean quarantine."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin in its author's outbox; `withdrawn` is the time when its withdrawal was stored."""

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
    """One stage confirmed by one reader."""

    reader: str
    stage: ReceiptStage
    at: dt.datetime


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """The stages that one required hub has confirmed, with their times. `mute`: it has no key or grant for receipts."""

    reader: str
    received: dt.datetime | None
    read: dt.datetime | None
    withdrawn: dt.datetime | None
    mute: bool


class DeliveryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery state of a bulletin; `missing` has the hubs without the next state, `unconfirmed` those without the withdrawal."""

    said: Sent
    state: DeliveryState
    readers: tuple[Reader, ...]
    missing: tuple[str, ...]
    unconfirmed: tuple[str, ...]


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """A hub that has not answered in time, and the next contact; `contact` is None if the registry has none."""

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
    """The delivery state that answers add up to.

    Args:
        said: the bulletin.
        answers: in any order; only those of `required` hubs count.
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
    """The hubs that have not answered in time, with the contact to ask. Each further deadline names the next contact.

    Args:
        status: the state of the bulletin.
        now: the present.
        deadlines: by priority and phase.
        contacts: the contacts of each hub, in order.
    """
    said, allowed = status.said, deadlines[status.said.priority, status.said.phase]
    unreceived = [reader for reader in status.readers if reader.received is None]
    received = [reader for reader in status.readers if reader.received is not None]
    unread = [reader for reader in received if reader.read is None]
    shown = [reader for reader in received if reader.withdrawn is None]
    # A withdrawn bulletin need not be read any more; its withdrawal must arrive in the same time.
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

"""Whether an outbox may sign: does it hold the last bulletin that was accepted on each channel, and is it no old copy? Pure.

An outbox that has lost the end of a chain would give a number twice, which every reader takes for a contradiction. So what
was accepted is written down a second time, beside it (`bus.publishing.heads_file`), and compared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

MOVED_S = 5.0
"""Seconds between the last line of the heads file and the file's own time of change, above which something else changed it."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted bulletin, as the heads file has it; `n` is its row in the outbox, a number that only grows."""

    n: int
    channel: str
    seq: int
    digest: str
    id: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Which file the lines are about: the outbox's inode, and the boot of the machine during which that was written."""

    inode: int
    boot: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a heads file says.

    Attributes:
        said: the accepted bulletins that it still lists, in the order of its lines.
        mark: the last mark.
        written_at: when the last line was written, by its own word, in seconds since the epoch; 0 when there is none.
        damaged: how many lines are not as they were written.
    """

    said: tuple[Said, ...] = ()
    mark: Mark | None = None
    written_at: float = 0.0
    damaged: int = 0

    @property
    def last(self) -> dict[str, Said]:
        """The last accepted bulletin of each channel."""
        last: dict[str, Said] = {}
        for each in self.said:
            if each.channel not in last or each.n >= last[each.channel].n:
                last[each.channel] = each
        return last

    @property
    def upto(self) -> int:
        """The highest row that it lists; 0 when there is none."""
        return max((each.n for each in self.said), default=0)


class HeldHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a channel in the outbox, and the row that holds it; 0 when it was adopted from the bus, or pruned."""

    seq: int
    digest: str
    n: int = 0


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An outbox as far as it matters here: how many rows it has ever had, its heads, and the inode it recorded, if it did."""

    counter: int
    heads: Mapping[str, HeldHead] = MappingProxyType({})
    inode: int | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where outbox and heads file are now: the outbox's inode, the present boot, and when the heads file was changed."""

    inode: int
    boot: str
    changed_at: float = 0.0


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of which the outbox lacks the end: what it holds as the last number (0: none), and what was accepted last."""

    channel: str
    held: int
    said: int


class Unfit(msgspec.Struct, frozen=True, kw_only=True):
    """Why an outbox may not sign: `outbox-behind` or `outbox-restored`, in words, and what to do."""

    reason: str
    detail: str
    remedy: str
    channels: tuple[Behind, ...] = ()


def fit_to_sign(record: Record | None, held: Held, place: Place) -> Unfit | None:
    """Why an outbox may not sign; None when it may.

    Args:
        record: what the heads file says; None when there is none.
        held: what the outbox holds.
        place: which file it is, and where.
    """
    if record is not None and (channels := behind(record, held)):
        return Unfit(
            reason="outbox-behind",
            detail=f"this outbox has lost accepted bulletins: {_worded(channels)}. Signing now would use a number twice",
            remedy="tocsin outbox recover",
            channels=channels,
        )
    known = {held.inode} if record is None or record.mark is None else {held.inode, record.mark.inode}
    if not known <= {None, place.inode}:
        return _restored("it is not the file that was last written")
    if record is not None and _is_touched(record, place):
        return _restored("another program changed the heads file beside it")
    return None


def behind(record: Record, held: Held) -> tuple[Behind, ...]:
    """The channels of which the outbox lacks what was accepted last."""
    lacking = []
    for channel, said in sorted(record.last.items()):
        head = held.heads.get(channel)
        if is_behind(said, head, held.counter):
            lacking.append(Behind(channel=channel, held=head.seq if head else 0, said=said.seq))
    return tuple(lacking)


def is_behind(said: Said, head: HeldHead | None, counter: int) -> bool:
    """Whether an outbox of so many rows lacks this bulletin.

    It does not where its head is that bulletin, came after it, or was adopted from the bus with a higher number.
    """
    if said.n > counter or head is None:
        return True
    return (head.seq, head.digest) != (said.seq, said.digest) and head.n <= said.n and head.seq <= said.seq


def _is_touched(record: Record, place: Place) -> bool:
    """Whether something else than a program of ours has written the heads file, as one does that copies it back.

    Only of the present boot: after a power cut the time of change may be younger than the last line that reached the disk.
    """
    if record.mark is None or not record.written_at or record.mark.boot != place.boot:
        return False
    return abs(place.changed_at - record.written_at) > MOVED_S


def _restored(why: str) -> Unfit:
    return Unfit(
        reason="outbox-restored",
        detail=f"this outbox may be an old copy: {why}. It signs only after a comparison with the bus, which happens "
        "automatically as soon as the bus answers",
        remedy="make sure that the bus answers; without it no number is safe",
    )


def _worded(channels: tuple[Behind, ...]) -> str:
    told = [f"{each.channel} holds number {each.held} and had accepted {each.said}" for each in channels[:3]]
    more = f", and {len(channels) - 3} more channels" if len(channels) > 3 else ""
    return "; ".join(told) + more

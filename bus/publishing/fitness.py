"""Decides whether an outbox may sign: it must hold the last accepted bulletin of each channel and must not be an old copy. Pure.

An outbox that has lost the end of a chain would use a number twice, which every reader takes for a contradiction. So
accepted bulletins are recorded a second time beside it (`bus.publishing.heads_file`) and compared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

MOVED_S = 5.0
"""If the heads file was changed more than this many seconds from its last line's time, another program changed it."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted bulletin in the heads file; `n` is its row in the outbox, a number that only grows."""

    n: int
    channel: str
    seq: int
    digest: str
    id: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The file that the lines belong to: the outbox's inode, and the machine's boot when the mark was written."""

    inode: int
    boot: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a heads file.

    Attributes:
        said: the accepted bulletins that it still lists, in the order of its lines.
        mark: the last mark.
        written_at: the time in the last line, in seconds since the epoch; 0 if there is none.
        damaged: the number of lines with a wrong checksum.
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
        """The highest row that it lists; 0 if it lists none."""
        return max((each.n for each in self.said), default=0)


class HeldHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a channel in the outbox, and its row; 0 if it was adopted from the bus or pruned."""

    seq: int
    digest: str
    n: int = 0


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of an outbox for this check: the number of rows it ever had, its heads, and its recorded inode, if any."""

    counter: int
    heads: Mapping[str, HeldHead] = MappingProxyType({})
    inode: int | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The present files: the outbox's inode, the machine's boot, and the time of change of the heads file."""

    inode: int
    boot: str
    changed_at: float = 0.0


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """A channel whose end the outbox lacks: the last number that it holds (0 for none), and the last accepted number."""

    channel: str
    held: int
    said: int


class Unfit(msgspec.Struct, frozen=True, kw_only=True):
    """The reason why an outbox may not sign, `outbox-behind` or `outbox-restored`, with a sentence and a remedy."""

    reason: str
    detail: str
    remedy: str
    channels: tuple[Behind, ...] = ()


def fit_to_sign(record: Record | None, held: Held, place: Place) -> Unfit | None:
    """The reason why an outbox may not sign; None if it may.

    Args:
        record: the content of the heads file; None if there is none.
        held: the content of the outbox.
        place: the present files.
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
    """The channels whose last accepted bulletin the outbox lacks."""
    lacking = []
    for channel, said in sorted(record.last.items()):
        head = held.heads.get(channel)
        if is_behind(said, head, held.counter):
            lacking.append(Behind(channel=channel, held=head.seq if head else 0, said=said.seq))
    return tuple(lacking)


def is_behind(said: Said, head: HeldHead | None, counter: int) -> bool:
    """Whether an outbox that has had `counter` rows lacks this bulletin.

    It does not if its head is that bulletin, came after it, or was adopted from the bus with a higher number.
    """
    if said.n > counter or head is None:
        return True
    return (head.seq, head.digest) != (said.seq, said.digest) and head.n <= said.n and head.seq <= said.seq


def _is_touched(record: Record, place: Place) -> bool:
    """Whether another program has written the heads file, for example by copying it back.

    Checked only within one boot: after a power cut the time of change may be later than the last line on the disk.
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

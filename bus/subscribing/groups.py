"""Settles the regular bulletins of a batch as a group: it reads the tables once for each channel and writes with few statements.

A run is the longest stretch of a batch in which every bulletin is simply the next of its channel: nothing waits, is
frozen, was refused, or has a revoked or expired key near its place. The run ends before the first other bulletin, which
goes the long way (`bus.subscribing.intake`); then the next run is looked for. A run leaves the same tables as the long
way, one by one; tests compare every table after random histories.

Everything here runs in the store's thread, on an open transaction, and reads no clock.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from bus.admission import Admitted, Judged, Refused
from bus.storage import utc
from bus.subscribing import bodies, contested
from bus.subscribing.bodies import Body, Texts
from bus.subscribing.budget import Charges
from bus.subscribing.tables import Stored
from bus.subscribing.tables import lasting as lasting_body
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.system import ChannelStatus

FEWEST = 8
"""For fewer bulletins than this, one by one is faster."""
LONGEST, SHORTEST = 512, 4
"""Most bulletins that a look for a run covers."""
_ALONE = frozenset({ChannelStatus, ElectionCalendar})
"""Kinds of body that the picture compares with the chains of that moment."""

_HEAD = "SELECT seq, digest, kids FROM links WHERE channel = ? ORDER BY seq DESC LIMIT 1"
_HELD = "SELECT EXISTS (SELECT 1 FROM held_back WHERE channel = ?)"
_REFUSED = "SELECT EXISTS (SELECT 1 FROM quarantine WHERE channel = ?)"


class Head:
    """The last link of a channel; it advances with the run."""

    __slots__ = ("digest", "seq")

    def __init__(self, seq: int, digest: str | None) -> None:
        self.seq, self.digest = seq, digest


class Run(NamedTuple):
    """The result of a run: its end, and its rows."""

    end: int
    rows: list[Stored]


class Reach:
    """How far to look for a run, and how many bulletins go the long way before the next look.

    After a look without a run the next look comes later each time; after a cut it covers twice the length of the last
    run. So a batch without regular bulletins, such as a known one, costs no more than one by one.
    """

    def __init__(self) -> None:
        self.ahead = LONGEST
        self._pause = self._left = 0

    def is_due(self) -> bool:
        """Whether to look for a run now; call it once for each bulletin that goes the long way or begins a run."""
        self._left -= 1
        return self._left < 0

    def note(self, found: int) -> None:
        """Note the length of the run that was found."""
        self.ahead = min(LONGEST, max(SHORTEST, 2 * found))
        self._pause = 0 if found else min(LONGEST, 2 * self._pause + 1)
        self._left = self._pause


class State(NamedTuple):
    """The facts that decide on the whole batch.

    Attributes:
        now: the present.
        holding: whether any bulletin may be held back.
        ended: the keys that were revoked or expired at the last `amend` of the store.
        stated: those of `ended` that only a statement revokes.
        charges: the cost of each for its authority.
        texts: the numbers of texts.
    """

    now: dt.datetime
    holding: bool
    ended: frozenset[str]
    stated: frozenset[str]
    charges: Charges | None
    texts: Texts


def take_run(
    db: sqlite3.Connection, judged: Sequence[Judged | Refused], first: int, reach: int, state: State
) -> Run:
    """Keep the run from `first` on, at most `reach` long; the caller must still show its rows in the picture."""
    ahead = judged[first : first + reach]
    ids = [each.admitted.bulletin.id for each in ahead if isinstance(each, Judged)]
    if not ids or not isinstance(ahead[0], Judged):
        return Run(first, [])
    used = bodies.used_ids(db, ids)
    row = bodies.last_row(db)
    moment, texts = state.now.timestamp(), state.texts
    names: dict[int, str] = {}  # by the identity of the channel object, which most bulletins share
    heads: dict[str, Head | None] = {}
    places: list[tuple[Any, ...]] = []
    lasting: list[tuple[Any, ...]] = []
    passing: list[Body] = []
    rows: list[Stored] = []
    at = utc(moment)
    at_s = at.timestamp()
    for position, verdict in enumerate(ahead, first):
        if not isinstance(verdict, Judged):
            break
        found, message = verdict.admitted, verdict.message
        b = found.bulletin
        channel = names.get(id(found.channel))
        if channel is None:
            channel = names[id(found.channel)] = str(found.channel)
        if channel not in heads:
            heads[channel] = _head(db, channel, state)
        head = heads[channel]
        if head is None or not _is_next(found, head, used, state):
            break
        if state.charges is not None and not state.charges.take(position, b.issuer.id, moment):
            break
        used.add(b.id)
        head.seq, head.digest = b.seq, message.digest
        row += 1
        number = texts[channel]
        places.append(
            (
                number,
                b.seq,
                row,
                message.digest,
                b.prev,
                b.id,
                texts[" ".join(found.signer_kids)],
                moment if found.admitted_at is state.now else found.admitted_at.timestamp(),
                b.issued.timestamp(),
                1,
            )
        )
        kept = Stored(
            rowid=row,
            digest=message.digest,
            id=b.id,
            channel=channel,
            seq=b.seq,
            subject=message.subject,
            signature=found.signature,
            payload=message.payload,
            kid=found.signer_kid,
            admitted_at=at,
            labels=found.labels,
            trust=str(found.trust),
            endorsers=found.endorsers,
        )
        kept.__dict__["bulletin"] = b  # already decoded, so it need not be read again
        rows.append(kept)
        body = lasting_body(kept, number, message, texts, at_s)
        if (until := bodies.last_day(b)) is None:
            lasting.append(body)
        else:
            passing.append(Body._make((*body, until)))
    bodies.add(db, places, lasting, passing)
    return Run(first + len(rows), rows)


def _head(db: sqlite3.Connection, channel: str, state: State) -> Head | None:
    """The head of a channel; None if the channel is not regular."""
    if state.holding and db.execute(_HELD, (channel,)).fetchone()[0]:
        return None
    if contested.is_frozen(db, channel):
        return None
    row = db.execute(_HEAD, (channel,)).fetchone()
    seq, digest, kids = row if row is not None else (0, None, "")
    # A key revoked by a statement may have signed the head, or a bulletin in quarantine that may be continued.
    if state.stated and (
        not state.stated.isdisjoint(kids.split()) or db.execute(_REFUSED, (channel,)).fetchone()[0]
    ):
        return None
    return Head(seq, digest)


def _is_next(found: Admitted, head: Head, used: Collection[str], state: State) -> bool:
    """Whether a bulletin is simply the next of its channel."""
    b = found.bulletin
    return (
        b.seq == head.seq + 1
        and b.prev == head.digest
        and b.id not in used
        and type(b.body) not in _ALONE
        and state.ended.isdisjoint(found.signer_kids)
    )

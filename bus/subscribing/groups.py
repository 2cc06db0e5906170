"""What is regular of a batch, settled as a group: the tables are asked once for each channel and written with few statements.

A run is the longest stretch of a batch in which every bulletin is the next of its channel and nothing else is to be done about
it: nothing waits, is frozen, was refused or ended near its place. It is cut at the first that is not so; that one goes the long
way (`bus.subscribing.intake`), and the rest is looked at anew. What a run leaves in the tables is what the long way would have
left, one by one; tests compare every table after random histories.

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
"""With fewer than these left of a batch one by one is quicker."""
LONGEST, SHORTEST = 512, 4
"""How far a run is looked ahead for."""
_ALONE = frozenset({ChannelStatus, ElectionCalendar})
"""Bodies that the picture compares with the chains of that moment."""

_HEAD = "SELECT seq, digest, kids FROM links WHERE channel = ? ORDER BY seq DESC LIMIT 1"
_HELD = "SELECT EXISTS (SELECT 1 FROM held_back WHERE channel = ?)"
_REFUSED = "SELECT EXISTS (SELECT 1 FROM quarantine WHERE channel = ?)"


class Head:
    """The last link of a channel; it moves on with the run."""

    __slots__ = ("digest", "seq")

    def __init__(self, seq: int, digest: str | None) -> None:
        self.seq, self.digest = seq, digest


class Run(NamedTuple):
    """What a run leaves: where it ends, and its rows."""

    end: int
    rows: list[Stored]


class Reach:
    """How far a run is looked ahead for, and how many go the long way before one is looked for again.

    Where there was none the next look comes later each time; after a cut it goes twice as far as the last run. So a batch of which
    nothing is regular, as one that is known already, costs what it costs one by one.
    """

    def __init__(self) -> None:
        self.ahead = LONGEST
        self._pause = self._left = 0

    def is_due(self) -> bool:
        """Whether to look for a run now; asked once for each that goes the long way or begins one."""
        self._left -= 1
        return self._left < 0

    def note(self, found: int) -> None:
        """Take in how long the run was that was found."""
        self.ahead = min(LONGEST, max(SHORTEST, 2 * found))
        self._pause = 0 if found else min(LONGEST, 2 * self._pause + 1)
        self._left = self._pause


class State(NamedTuple):
    """What decides about the whole batch.

    Attributes:
        now: the present.
        holding: whether anything may be held back.
        ended: the keys that had ended when the store was last amended.
        stated: of those, the ones that only a statement has ended.
        charges: what each costs its authority.
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
    """Keep the run that begins at `first` and goes on for `reach` at the most; its rows are still to be shown in the picture."""
    ahead = judged[first : first + reach]
    ids = [each.admitted.bulletin.id for each in ahead if isinstance(each, Judged)]
    if not ids or not isinstance(ahead[0], Judged):
        return Run(first, [])
    used = bodies.used_ids(db, ids)
    row = bodies.last_row(db)
    moment, texts = state.now.timestamp(), state.texts
    names: dict[int, str] = {}  # by the id of a channel, of which most bulletins share one
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
        kept.__dict__["bulletin"] = b  # at hand, so it need not be read again
        rows.append(kept)
        body = lasting_body(kept, number, message, texts, at_s)
        if (until := bodies.last_day(b)) is None:
            lasting.append(body)
        else:
            passing.append(Body._make((*body, until)))
    bodies.add(db, places, lasting, passing)
    return Run(first + len(rows), rows)


def _head(db: sqlite3.Connection, channel: str, state: State) -> Head | None:
    """The head of a channel; None when something about the channel is not regular."""
    if state.holding and db.execute(_HELD, (channel,)).fetchone()[0]:
        return None
    if contested.is_frozen(db, channel):
        return None
    row = db.execute(_HEAD, (channel,)).fetchone()
    seq, digest, kids = row if row is not None else (0, None, "")
    # What a statement has ended may have signed the head, or what waits in quarantine to be continued.
    if state.stated and (
        not state.stated.isdisjoint(kids.split()) or db.execute(_REFUSED, (channel,)).fetchone()[0]
    ):
        return None
    return Head(seq, digest)


def _is_next(found: Admitted, head: Head, used: Collection[str], state: State) -> bool:
    """Whether a bulletin is the next of its channel, and no more than that."""
    b = found.bulletin
    return (
        b.seq == head.seq + 1
        and b.prev == head.digest
        and b.id not in used
        and type(b.body) not in _ALONE
        and state.ended.isdisjoint(found.signer_kids)
    )

"""Which version of what this authority has said lives: asked of any id of a thread, and before an update or a cancel is signed.

A draft that supersedes or cancels names, of each thread that it touches, the version that lives. What this outbox does not know,
because it was pruned, lost, or said from another outbox, it cannot judge: such a draft passes, and readers decide by the same rule
(`bus.threads`). What was pruned stays known as long as the outbox holds another member of its thread. All that changes runs
inside the transaction that gives numbers, so of two publishers at once the second is refused.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from bus import threads
from bus.errors import VersionError
from bus.publishing.drafted import Drawn, revised
from bus.publishing.outbox_rows import Row
from schemas.bulletin import Bulletin, Defaults, Draft
from schemas.codec import decode
from schemas.errors import SchemaError
from schemas.parts import Ref
from schemas.subject import Channel
from schemas.vocab import MsgType, RefRel


class Revision(NamedTuple):
    """A bulletin as threads need it: when it was said, and the ids of what it supersedes or cancels."""

    said: threads.Said
    targets: tuple[str, ...]


MOST_MEMBERS = 1_000_000
STEP = dt.timedelta(microseconds=1)
_ALERT = MsgType.ALERT  # a member of an enumeration is found anew each time
_OURS = ""  # all in an outbox is of one authority
_BEGIN = "SELECT id, status FROM bulletins WHERE superseded = 0 AND id >= ? AND id < ? ORDER BY n LIMIT ?"
_SAID = "SELECT id, status, payload, kept_at, seq FROM bulletins WHERE id IN (SELECT value FROM json_each(?)) AND superseded = 0"
_CHANNELS = (
    "SELECT id, channel FROM bulletins WHERE id IN (SELECT value FROM json_each(?1)) AND superseded = 0 "
    "UNION ALL SELECT id, channel FROM learned WHERE id IN (SELECT value FROM json_each(?1))"
)
_KEPT_AT = (
    "SELECT kept_at FROM bulletins WHERE id = ?1 AND status = ?2 AND superseded = 0 "
    "UNION ALL SELECT issued FROM learned WHERE id = ?1"
)


def find(db: sqlite3.Connection, wanted: str) -> threads.Thread | None:
    """The thread of what this authority has said; its `living` names the version to act on, its `issuer` is empty.

    Args:
        db: an outbox, inside a read.
        wanted: an id, at least four characters of the beginning of one, or a whole digest.

    Returns:
        The thread; None where nothing here is called so.

    Raises:
        AmbiguousIdError: bulletins of several threads begin so.
    """
    if (between := threads.bounds(wanted)) is None:
        row = db.execute(
            "SELECT id, status FROM bulletins WHERE digest = ? AND superseded = 0", (wanted,)
        ).fetchone()
        return None if row is None else threads.thread_of(db, _key(*row))
    most = threads.MOST + 1
    found = [_key(*row) for row in db.execute(_BEGIN, (*between, most))]
    found = list(dict.fromkeys((*found, *threads.named(db, *between, most))))
    key = threads.meant(wanted, found, lambda each: threads.thread_of(db, each).key)
    return None if key is None else threads.thread_of(db, key)


def refuse_withdrawn(thread: threads.Thread, wanted: str) -> None:
    """Refuse what is about to update or cancel a thread that is withdrawn already.

    Raises:
        VersionError: `already-withdrawn`.
    """
    if thread.withdrawn_by is not None:
        raise VersionError(
            f"{wanted} is withdrawn already, by {thread.withdrawn_by}; its last version was {thread.living}",
            reason="already-withdrawn",
            living=thread.living,
            cancelled_by=thread.withdrawn_by,
            remedy="what is to be said all the same is published as a new bulletin",
        )


def open_ways(db: sqlite3.Connection, thread: threads.Thread) -> dict[str, str]:
    """Where versions of a thread stand and no cancel does, so that their readers have not heard of its withdrawal.

    Args:
        db: an outbox.
        thread: of `find`.

    Returns:
        By the name of the channel the newest version there; that of the living version is the first.
    """
    members = threads.in_thread(db, thread.key, MOST_MEMBERS)
    ids = [each.id for each in members] or [thread.id]
    channels = dict(db.execute(_CHANNELS, (_json(ids),)).fetchall())
    told = {channels.get(each.id) for each in members if each.is_cancel}
    ways: dict[str, str] = {}
    for id_ in ids:
        channel = channels.get(id_)
        if channel is not None and channel not in told:
            ways.setdefault(channel, id_)
    return ways


def moment_of(db: sqlite3.Connection, draft: Draft, defaults: Defaults, moment: dt.datetime) -> dt.datetime:
    """Judge what a draft supersedes or cancels, inside the transaction that gives it a number.

    Args:
        db: the outbox.
        draft: an update or a cancel; any other draft passes.
        defaults: what it leaves out.
        moment: the present, aware.

    Returns:
        The moment with which it is stamped: after each version of what it touches, since the newest one counts.

    Raises:
        VersionError: `already-withdrawn`, unless it is a cancel for readers of a channel who have not heard of it; or
            `already-superseded` by a version that the draft does not name.
    """
    ids = revised(draft)
    touched: dict[threads.Key, threads.Thread] = {}
    for id_ in ids:
        thread = threads.thread_of(db, _key(id_, draft.status))
        if not _tells_others(db, thread, draft, defaults):
            refuse_withdrawn(thread, id_)
        touched.setdefault(thread.key, thread)
    for thread in touched.values():
        if thread.living not in ids:
            raise VersionError(
                f"{thread.id} is superseded already: the version that stands is {thread.living}, version {thread.versions}",
                reason="already-superseded",
                living=thread.living,
                remedy=f"read that one, and name it instead: {thread.living}",
            )
        for (kept_at,) in db.execute(_KEPT_AT, (thread.living, thread.status)).fetchall():
            said = dt.datetime.fromtimestamp(kept_at, dt.UTC)
            if said >= moment:
                moment = said + STEP
    return moment


def _tells_others(db: sqlite3.Connection, thread: threads.Thread, draft: Draft, defaults: Defaults) -> bool:
    """Whether a draft withdraws a thread that is withdrawn, on a channel whose readers have not heard of that."""
    tlp, audience = draft.tlp or defaults.tlp, draft.audience or defaults.audience
    if thread.withdrawn_by is None or draft.msg_type is not MsgType.CANCEL or tlp is None or audience is None:
        return False
    way = Channel(issuer="", status=draft.status, tlp=tlp, audience=audience).name
    return way in open_ways(db, thread)


def going_on(db: sqlite3.Connection, draft: Draft, earlier: Row) -> Draft:
    """A draft about the same thing in its own system as an earlier bulletin: an update of the version that lives.

    Where somebody has withdrawn that thread, the draft begins a new one: what is withdrawn stays so, and its source says it anew.
    """
    thread = threads.thread_of(db, _key(earlier.id, earlier.status))
    if thread.withdrawn_by is not None:
        return draft
    ref = Ref(id=thread.living, rel=RefRel.SUPERSEDES)
    return msgspec.structs.replace(draft, msg_type=MsgType.UPDATE, references=(*draft.references, ref))


def keep(db: sqlite3.Connection, drawn: Sequence[Drawn], first: int) -> None:
    """Note what bulletins supersede and cancel that are kept with the numbers from `first` on, inside a transaction."""
    ties = [
        threads.Tie(id_, _said(each.bulletin), n, _HOW[each.bulletin.msg_type])
        for n, each in enumerate(drawn, first)
        if each.bulletin.msg_type is not _ALERT
        for id_ in revised(each.bulletin)
    ]
    if ties:
        threads.take_in(db, (), ties, _known)


def revision(bulletin: Bulletin) -> Revision:
    """What a bulletin says of versions."""
    return Revision(_said(bulletin), revised(bulletin))


def learn(db: sqlite3.Connection, revisions: Sequence[Revision]) -> None:
    """Note versions and withdrawals that the bus holds, inside a transaction; of those that are kept here nothing changes."""
    ties = [
        threads.Tie(id_, each.said, 0, threads.CANCELLED if each.said.is_cancel else threads.SUPERSEDED)
        for each in revisions
        for id_ in each.targets
    ]
    if ties:
        threads.take_in(db, [each.said for each in revisions], ties, _known)


def take_back(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Note that rows have lost their places, inside a transaction: they supersede and cancel nothing."""
    threads.take_back(db, [(_key(row.id, row.status), row.n) for row in rows])


def prune(db: sqlite3.Connection, gone: Iterable[tuple[str, str]]) -> None:
    """Forget threads of which nothing is kept any more, inside a transaction; given ids and statuses of what was let go."""
    sql = "SELECT EXISTS (SELECT 1 FROM bulletins WHERE id IN (SELECT value FROM json_each(?)))"

    def is_kept(keys: Sequence[threads.Key]) -> bool:
        return bool(db.execute(sql, (_json([key.id for key in keys]),)).fetchone()[0])

    threads.let_go(db, [_key(id_, status) for id_, status in gone], is_kept)
    db.execute("DELETE FROM learned WHERE NOT EXISTS (SELECT 1 FROM threads t WHERE t.id = learned.id)")


def build(db: sqlite3.Connection) -> None:
    """Make the threads of an outbox of a release that knew none (`threads.is_due`), inside a transaction."""
    for _ in threads.build(db, _known):
        pass


_HOW = {MsgType.UPDATE: threads.SUPERSEDED, MsgType.CANCEL: threads.CANCELLED}


def _known(db: sqlite3.Connection, keys: Sequence[threads.Key]) -> Iterator[threads.Said]:
    for id_, status, payload, kept_at, seq in db.execute(
        _SAID, (_json([key.id for key in keys]),)
    ).fetchall():
        try:
            yield _said(decode(payload))
        except SchemaError:  # it is damaged; it was said all the same
            yield threads.Said(_key(id_, status), kept_at, seq, is_cancel=False)


def _said(bulletin: Bulletin) -> threads.Said:
    key = _key(bulletin.id, bulletin.status)
    return threads.Said(key, bulletin.issued.timestamp(), bulletin.seq, bulletin.msg_type is MsgType.CANCEL)


def _key(id_: str, status: str) -> threads.Key:
    return threads.Key(id_, _OURS, str(status))


def _json(value: Sequence[object]) -> str:
    return msgspec.json.encode(value).decode()

"""Finds the living version of an own thread by any of its ids, and checks updates and cancels before they are signed.

A draft that supersedes or cancels must name the living version of each thread that it touches. This outbox cannot judge
bulletins that it does not know, because they were pruned, lost, or published from another outbox. Such a draft passes,
and readers decide by the same rule (`bus.threads`). A pruned bulletin stays known while the outbox holds another member
of its thread. All changes happen inside the transaction that gives numbers, so of two publishers at once the second is
refused.
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
_ALERT = MsgType.ALERT  # a global is faster than a lookup in the enumeration
_OURS = ""  # all bulletins of an outbox have one author
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
    """Find an own thread; its `living` names the version to act on, its `issuer` is empty.

    Args:
        db: an outbox, inside a read.
        wanted: an id, at least its first four characters, or a whole digest.

    Returns:
        The thread; None if no bulletin here has this name.

    Raises:
        AmbiguousIdError: bulletins of several threads begin with it.
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
    """Refuse an update or cancel of a thread that is already withdrawn.

    Raises:
        VersionError: `already-withdrawn`.
    """
    if thread.withdrawn_by is not None:
        raise VersionError(
            f"{wanted} is withdrawn already, by {thread.withdrawn_by}; its last version was {thread.living}",
            reason="already-withdrawn",
            living=thread.living,
            cancelled_by=thread.withdrawn_by,
            remedy="to say it again, publish a new bulletin",
        )


def open_ways(db: sqlite3.Connection, thread: threads.Thread) -> dict[str, str]:
    """The channels with versions of a thread and without its cancel: their readers do not know of the withdrawal.

    Args:
        db: an outbox.
        thread: the result of `find`.

    Returns:
        The newest version on each such channel, by the channel's name; the living version comes first.
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
    """Judge the bulletins that a draft supersedes or cancels, inside the transaction that gives it a number.

    Args:
        db: the outbox.
        draft: an update or a cancel; any other draft passes.
        defaults: values for the fields that it leaves out.
        moment: the present, aware.

    Returns:
        The moment of its stamp: later than each version that it touches, since the newest version counts.

    Raises:
        VersionError: `already-withdrawn`, unless it is a cancel for readers of a channel who do not know of the
            withdrawal; or `already-superseded` by a version that the draft does not name.
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
                f"{thread.id} is superseded already: the living version is {thread.living}, version {thread.versions}",
                reason="already-superseded",
                living=thread.living,
                remedy=f"read that version and name it instead: {thread.living}",
            )
        for (kept_at,) in db.execute(_KEPT_AT, (thread.living, thread.status)).fetchall():
            said = dt.datetime.fromtimestamp(kept_at, dt.UTC)
            if said >= moment:
                moment = said + STEP
    return moment


def _tells_others(db: sqlite3.Connection, thread: threads.Thread, draft: Draft, defaults: Defaults) -> bool:
    """Whether a draft cancels a withdrawn thread on a channel whose readers do not know of the withdrawal."""
    tlp, audience = draft.tlp or defaults.tlp, draft.audience or defaults.audience
    if thread.withdrawn_by is None or draft.msg_type is not MsgType.CANCEL or tlp is None or audience is None:
        return False
    way = Channel(issuer="", status=draft.status, tlp=tlp, audience=audience).name
    return way in open_ways(db, thread)


def going_on(db: sqlite3.Connection, draft: Draft, earlier: Row) -> Draft:
    """The draft as an update of the living version of an earlier bulletin with the same origin.

    If somebody has withdrawn that thread, the draft begins a new one: a withdrawn thread stays withdrawn, and its
    source publishes again.
    """
    thread = threads.thread_of(db, _key(earlier.id, earlier.status))
    if thread.withdrawn_by is not None:
        return draft
    ref = Ref(id=thread.living, rel=RefRel.SUPERSEDES)
    return msgspec.structs.replace(draft, msg_type=MsgType.UPDATE, references=(*draft.references, ref))


def keep(db: sqlite3.Connection, drawn: Sequence[Drawn], first: int) -> None:
    """Note what the bulletins kept with numbers from `first` on supersede and cancel, inside a transaction."""
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
    """Note that rows have lost their places, inside a transaction: they no longer supersede or cancel anything."""
    threads.take_back(db, [(_key(row.id, row.status), row.n) for row in rows])


def prune(db: sqlite3.Connection, gone: Iterable[tuple[str, str]]) -> None:
    """Forget threads without kept members, inside a transaction; the arguments are ids and statuses of deleted rows."""
    sql = "SELECT EXISTS (SELECT 1 FROM bulletins WHERE id IN (SELECT value FROM json_each(?)))"

    def is_kept(keys: Sequence[threads.Key]) -> bool:
        return bool(db.execute(sql, (_json([key.id for key in keys]),)).fetchone()[0])

    threads.let_go(db, [_key(id_, status) for id_, status in gone], is_kept)
    db.execute("DELETE FROM learned WHERE NOT EXISTS (SELECT 1 FROM threads t WHERE t.id = learned.id)")


def build(db: sqlite3.Connection) -> None:
    """Build the threads of an outbox from a release without threads (`threads.is_due`), inside a transaction."""
    for _ in threads.build(db, _known):
        pass


_HOW = {MsgType.UPDATE: threads.SUPERSEDED, MsgType.CANCEL: threads.CANCELLED}


def _known(db: sqlite3.Connection, keys: Sequence[threads.Key]) -> Iterator[threads.Said]:
    for id_, status, payload, kept_at, seq in db.execute(
        _SAID, (_json([key.id for key in keys]),)
    ).fetchall():
        try:
            yield _said(decode(payload))
        except SchemaError:  # a damaged row was published all the same
            yield threads.Said(_key(id_, status), kept_at, seq, is_cancel=False)


def _said(bulletin: Bulletin) -> threads.Said:
    key = _key(bulletin.id, bulletin.status)
    return threads.Said(key, bulletin.issued.timestamp(), bulletin.seq, bulletin.msg_type is MsgType.CANCEL)


def _key(id_: str, status: str) -> threads.Key:
    return threads.Key(id_, _OURS, str(status))


def _json(value: Sequence[object]) -> str:
    return msgspec.json.encode(value).decode()

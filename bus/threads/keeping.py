"""Threads in the tables of a file: taken in and taken back a batch at a time, each table with few statements.

`revisions` has what each bulletin supersedes or cancels; `threads` the nodes that follow from it (`bus.threads.joining`). What
becomes of a bulletin depends on which of them were taken in, never on the order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from bus.threads.joining import CANCEL, CANCELLED, SUPERSEDED, Forest, Key, Node, Said, Tie, anew
from bus.threads.tables import ID, ISSUER, KEY, STATUS, as_json, below, loaded, tops_of, write

AT_ONCE = 2000
_TIE = "INSERT OR IGNORE INTO revisions (target, issuer, status, by, how, row, issued, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_UNTIE = "DELETE FROM revisions WHERE by = ? AND issuer = ? AND status = ? AND row = ?"
_TIES_OF = f"""
SELECT r.target, r.issuer, r.status, r.by FROM json_each(?) j CROSS JOIN revisions r
ON r.target = {ID} AND r.issuer = {ISSUER} AND r.status = {STATUS}
"""
_FIRST = f"""
(SELECT r.by FROM revisions r INDEXED BY revisions_in_order
WHERE r.target = {ID} AND r.issuer = {ISSUER} AND r.status = {STATUS} AND r.how = '{{how}}' ORDER BY r.by LIMIT 1)
"""
DIRECTLY = (
    f"SELECT {KEY}, {_FIRST.format(how=CANCELLED)}, {_FIRST.format(how=SUPERSEDED)} FROM json_each(?) j"
)
"""SQL: of each bulletin the least id of those that cancel it, and of those that supersede it."""

Known = Callable[[sqlite3.Connection, Sequence[Key]], Iterable[Said]]
"""Stored facts about bulletins that others name and that were not taken in as members of a thread."""


class End(NamedTuple):
    """The end of a bulletin; `by` and `how` are None if it has none.

    A version that is older than another and that nothing names is superseded `by` itself: its thread says what lives.
    """

    key: Key
    by: str | None
    how: str | None


def take_in(
    db: sqlite3.Connection,
    here: Iterable[Said],
    ties: Sequence[Tie],
    known: Known,
    *,
    seen: Iterable[Key] = (),
) -> list[End]:
    """Take bulletins in, and what they say of others, inside a transaction.

    It costs what the batch says: of each thread that it touches, however long, the way from a member to the top is read.

    Args:
        db: a file with these tables.
        here: the bulletins that something names, on record (`named_among`) or in `ties`; others may be among them.
        ties: what bulletins supersede and cancel; their sources need not be in `here`.
        known: asked of what is named for the first time.
        seen: bulletins that are shown and take no part, and that something on record names.

    Returns:
        What ends each bulletin for which that may have changed.
    """
    said = {each.key: each for each in here}
    said |= {tie.by.key: tie.by for tie in ties}
    db.executemany(_TIE, [_tie_row(tie) for tie in ties])
    pairs = [(Key(tie.target, *tie.by.key[1:]), tie.by.key) for tie in ties]
    touched = dict.fromkeys((*said, *seen, *(target for target, _ in pairs)))
    forest, newest = loaded(db, list(touched))
    new = dict.fromkeys(target for target, _ in pairs if target not in forest and target not in said)
    for each in known(db, list(new)) if new else ():
        if each.key in new:  # and not said by another issuer or at another status
            forest.note(each)
    for target, source in pairs:
        forest.join(target, source)
    for key, each in said.items():
        if key in forest:
            forest.note(each)
    write(db, forest.changed.values())
    # The newest version so far may have another above it now.
    asked = {key: forest.top(key) for key in touched if key in forest}
    asked |= {was: forest.top(one) for was, one in newest}
    asked |= {Key(top.newest.id, *top.key[1:]): top for top in list(asked.values()) if top.newest is not None}
    return _ends(db, {key: top for key, top in asked.items() if forest.kind(key) != CANCEL})


def named_among(db: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """Those of these ids that a member of a thread has, of whichever issuer and status."""
    sql = "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM threads WHERE id = value)"
    return {id_ for (id_,) in db.execute(sql, (as_json(ids),))}


def take_back(db: sqlite3.Connection, gone: Iterable[tuple[Key, int]]) -> list[End]:
    """Take bulletins back, with their ties to others, inside a transaction; their threads are rebuilt.

    It costs what the threads hold of which they were members.

    Args:
        db: a file with these tables.
        gone: the bulletins, with the numbers under which they are kept.

    Returns:
        What ends each member of those threads now.
    """
    gone = list(gone)
    db.executemany(_UNTIE, [(*key, row) for key, row in gone])
    tops = tops_of(db, [key for key, _ in gone])
    if not tops:
        return []
    lost = {key for key, _ in gone}
    members = below(db, tops)
    for node in members:
        if node.key in lost:
            node.kind = node.issued = node.seq = None
    ties = [
        (Key(target, issuer, status), Key(by, issuer, status))
        for target, issuer, status, by in db.execute(
            _TIES_OF, (as_json([node.key for node in members]),)
        ).fetchall()
    ]
    kept, let_go = anew(members, ties)
    db.executemany("DELETE FROM threads WHERE n = ?", [(node.n,) for node in let_go])
    write(db, kept)
    forest = Forest(kept)
    ends = _ends(db, {node.key: forest.top(node.key) for node in kept if node.kind != CANCEL})
    return [*ends, *(End(node.key, None, None) for node in let_go if node.kind != CANCEL)]


def clear(db: sqlite3.Connection, stays: str, known: Known) -> None:
    """Forget all threads but what bulletins say that are not kept any more, inside a transaction.

    Args:
        db: a file with these tables.
        stays: SQL: the numbers of the bulletins that are kept, and will be taken in again.
        known: as `take_in` has it.
    """
    db.execute(f"DELETE FROM revisions WHERE row IN ({stays})")
    db.execute("DELETE FROM threads")
    for _ in build(db, known):
        pass


def let_go(db: sqlite3.Connection, keys: Sequence[Key], is_kept: Callable[[Sequence[Key]], bool]) -> None:
    """Forget the threads of bulletins that are kept no more, where none of their members is, inside a transaction.

    Args:
        db: a file with these tables.
        keys: the dropped nodes.
        is_kept: whether one of several bulletins is kept.
    """
    for top in tops_of(db, keys):
        members = below(db, [top])
        if not is_kept([node.key for node in members]):
            db.executemany("DELETE FROM threads WHERE n = ?", [(node.n,) for node in members])
            ties = "DELETE FROM revisions WHERE by = ? AND issuer = ? AND status = ?"
            db.executemany(ties, [node.key for node in members])


def is_due(db: sqlite3.Connection) -> bool:
    """Whether this file is of a release without threads, and its bulletins form some."""
    sql = "SELECT EXISTS (SELECT 1 FROM revisions) AND NOT EXISTS (SELECT 1 FROM threads)"
    return bool(db.execute(sql).fetchone()[0])


def build(db: sqlite3.Connection, known: Known) -> Iterator[list[End]]:
    """Make the threads from the bulletins, inside a transaction; gives the ends of bulletins, a part at a time."""
    if not is_due(db):
        return
    ties = db.execute("SELECT target, issuer, status, by, how, row, issued, seq FROM revisions").fetchall()
    for start in range(0, len(ties), AT_ONCE):
        some = ties[start : start + AT_ONCE]
        yield take_in(
            db,
            (),
            [
                Tie(target, Said(Key(by, issuer, status), issued, seq, how == CANCELLED), row, how)
                for target, issuer, status, by, how, row, issued, seq in some
            ],
            known,
        )


def _tie_row(tie: Tie) -> tuple[object, ...]:
    by = tie.by
    return (tie.target, by.key.issuer, by.key.status, by.key.id, tie.how, tie.row, by.issued, by.seq)


def _ends(db: sqlite3.Connection, tops: dict[Key, Node]) -> list[End]:
    """The ends of bulletins, given the tops of their threads.

    A withdrawn thread has its newest version cancelled, and each version that a cancel names. All others but the newest are superseded.
    """
    ends = []
    for id_, issuer, status, cancel, update in db.execute(DIRECTLY, (as_json(list(tops)),)).fetchall():
        key = Key(id_, issuer, status)
        top = tops[key]
        is_newest = top.newest is not None and top.newest.id == id_
        if cancel is not None:
            ends.append(End(key, cancel, CANCELLED))
        elif is_newest:
            ends.append(End(key, top.cancelled_by, None if top.cancelled_by is None else CANCELLED))
        else:
            ends.append(End(key, update or id_, SUPERSEDED))
    return ends

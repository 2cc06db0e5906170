"""Lists that pages show: the gravest first, what has come since a row, what a filter asks for, where else an observable stands.

Each reads one page and the key of the next, within the limits of a person (`bus.hub.picture.clearance`). What is live is asked of
now: what has expired and was not swept yet is left out, and what waits for the index is looked at, so that no list lacks it.
"""

from __future__ import annotations

import datetime as dt
import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from bus.filters import Selection
from bus.hub.picture import narrowing
from bus.hub.picture.clearance import above, ask, pairs_of
from bus.hub.picture.lines import LAST, Key, Page, shown, table_of
from bus.hub.picture.narrowing import FEW, Narrowed, narrow, waiting
from bus.policy import Clearance
from bus.subscribing import as_json, bodies
from schemas.vocab import Status

SIZE = 50
EVERYTHING = Selection()


_STANDING = (
    "s.live AND s.expires > :now",
    "s.ended_by IS NULL AND s.is_over AND s.expires > :now",  # swept by a clock that was ahead
)
_KEPT = ("s.msg_type != 'cancel' AND s.row >= :least",)
_AT_ONCE = 20_000
"""So many rows, seen or not, are walked for one page of what is kept."""
_GRAVEST = "(s.priority > :p OR (s.priority = :p AND (s.issued < :i OR (s.issued = :i AND s.row < :r))))"
_ORDERS = {
    "gravest": ("s.priority, s.issued DESC, s.row DESC", f"s.priority >= :p AND {_GRAVEST}"),
    "newest": ("s.row DESC", "s.row < :r"),
}


def gravest(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    *,
    status: Status = Status.ACTUAL,
    selection: Selection = EVERYTHING,
    after: Key | None = None,
    size: int = SIZE,
) -> Page:
    """What is live, by priority, then the newest.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        status: actual or exercise; never both in one list.
        selection: what is asked for. Of what words are in, the newest `narrowing.FEW` are looked at.
        after: the key of the page before.
        size: so many lines at most.
    """
    return _page(db, clearance, now, status, selection, "gravest", after, size)


def newest(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    *,
    status: Status = Status.ACTUAL,
    selection: Selection = EVERYTHING,
    after: Key | None = None,
    size: int = SIZE,
    with_ended: bool = False,
) -> Page:
    """What has come, the last first; arguments as for `gravest`.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        status: actual or exercise.
        selection: what is asked for.
        after: the key of the page before.
        size: so many lines at most.
        with_ended: whether what is not live is listed too; withdrawals themselves are not.
    """
    return _page(db, clearance, now, status, selection, "newest", after, size, with_ended=with_ended)


def since(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    row: int,
    *,
    status: Status = Status.ACTUAL,
    size: int = SIZE,
) -> Page:
    """What is live and came after a row, the oldest first; `next` has the row after which to ask again."""
    table = table_of(status)
    sql = (
        f"SELECT s.priority, s.issued, s.row FROM {table} s WHERE LIMITS(s) AND s.row > :row AND s.ended_by IS NULL "
        "AND s.expires > :now ORDER BY s.row LIMIT :most"
    )
    found = ask(db, clearance, sql, {"row": row, "now": now.timestamp(), "most": size + 1}).fetchall()
    keys = [Key(*each) for each in found]
    return shown(db, clearance, now, status, keys, size)


def also_in(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    norm: str,
    *,
    but: int = 0,
    status: Status = Status.ACTUAL,
    size: int = 10,
) -> Page:
    """Where else an observable stands, live or not, the last first; of what is in very much, the newest `narrowing.FEW` are looked at.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        norm: the observable, as `bus.filters.norm` spells it.
        but: the row of a bulletin that is left out.
        status: actual or exercise.
        size: so many lines at most.
    """
    table, asked = table_of(status), Selection(observable=(norm,))
    sql = (
        "SELECT s.priority, s.issued, s.row FROM (SELECT DISTINCT o.row FROM observables o WHERE o.norm = :norm ORDER BY o.row DESC "
        f"LIMIT {FEW}) o CROSS JOIN {table} s ON s.row = o.row WHERE s.row != :but AND LIMITS(s) AND s.msg_type != 'cancel' "
        "ORDER BY s.row DESC LIMIT :most"
    )
    found = ask(db, clearance, sql, {"norm": norm, "but": but, "most": size + 1})
    late = (key for key in waiting(db, clearance, now, status, asked, None) if key.row != but)
    keys = list(islice(heapq.merge((Key(*each) for each in found), late, key=_sort("newest")), size + 1))
    return shown(db, clearance, now, status, keys, size)


def above_ceiling(
    db: sqlite3.Connection, clearance: Clearance, now: dt.datetime, status: Status = Status.ACTUAL
) -> int:
    """How many are live that are said to the person's audiences and marked above the ceiling: a number, and nothing of them."""
    table, moment = table_of(status), {"now": now.timestamp()}
    live = above(
        db,
        clearance,
        "sum(t.n) FROM tally t WHERE LIMITS(t) AND t.of = :of AND t.field = 'all' AND t.value = ''",
        {"of": table},
    )
    over, back = (
        above(db, clearance, f"count(*) FROM {table} s WHERE LIMITS(s) AND {condition}", moment)
        for condition in NOT_SWEPT
    )
    return live - over + back


NOT_SWEPT = (
    "s.ended_by IS NULL AND NOT s.is_over AND s.expires <= :now",
    "s.ended_by IS NULL AND s.is_over AND s.expires > :now",
)
"""What has expired and is counted as live, and what was swept by a clock that was ahead."""


def standing(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    status: Status,
    selection: Selection,
    columns: str,
    *,
    by: str = "",
) -> Iterator[sqlite3.Row]:
    """Columns of every row `s` that is live and asked for, in no order; or groups of rows, of which more than one may be alike."""
    group = f" GROUP BY {by}" if by else ""
    table = table_of(status)
    narrowed = narrow(db, clearance, table, selection, now, LAST)
    moment = {"now": now.timestamp()}
    for condition in _STANDING:
        sql = f"SELECT {columns} FROM {table} s WHERE LIMITS(s) AND {condition} AND {narrowed.where}"
        if selection != EVERYTHING:
            sql += " AND NOT EXISTS (SELECT 1 FROM to_index i WHERE i.row = s.row)"
        yield from ask(db, clearance, f"{sql}{group}", {**narrowed.arguments, **moment})
    if selection != EVERYTHING:
        rows = [key.row for key in waiting(db, clearance, now, status, selection, None, is_live=True)]
        sql = f"SELECT {columns} FROM {table} s WHERE LIMITS(s) AND s.row IN (SELECT value FROM json_each(:rows))"
        yield from ask(db, clearance, f"{sql}{group}", {"rows": as_json(rows)})


def _page(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    status: Status,
    selection: Selection,
    order: str,
    after: Key | None,
    size: int,
    *,
    with_ended: bool = False,
) -> Page:
    upto = after.row - 1 if after is not None and order == "newest" else LAST
    narrowed = narrow(db, clearance, table_of(status), selection, now, upto)
    conditions = _KEPT if with_ended else _STANDING
    is_walked = with_ended and not narrowed.is_few
    walked = max(0, min(upto, bodies.last_row(db)) - _AT_ONCE) if is_walked else 0
    first = narrowing.first_since(db, selection, now, _AT_ONCE) if is_walked else 0
    least = max(walked, first)
    found: list[Iterable[Key]] = [
        _keys(db, clearance, now, status, narrowed, condition, order, after, size, least)
        for condition in conditions
    ]
    if selection != EVERYTHING:
        late = waiting(
            db,
            clearance,
            now,
            status,
            selection,
            after if order == "newest" else None,
            is_live=not with_ended,
        )
        if order == "gravest":
            late = iter(sorted((key for key in late if _is_after(key, after)), key=_sort(order)))
        found.append(late)
    keys: list[Key] = []
    for key in heapq.merge(*found, key=_sort(order)):
        if not keys or key.row != keys[-1].row:  # what waits may be indexed in part
            keys.append(key)
        if len(keys) > size:
            break
    page = shown(db, clearance, now, status, keys, size)
    if page.next is None and order == "newest" and (reached := max(narrowed.down_to, walked)) > first:
        return Page(lines=page.lines, next=Key("", 0.0, reached))
    return page


def _keys(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    status: Status,
    narrowed: Narrowed,
    condition: str,
    order: str,
    after: Key | None,
    size: int,
    least: int,
) -> Iterator[Key]:
    by, later = _ORDERS[order]
    key = after or Key("", 0.0, LAST)
    place: dict[str, object] = {"p": key.priority, "i": key.issued, "r": key.row, "most": size + 1}
    arguments = {**narrowed.arguments, **place, "now": now.timestamp(), "least": least}
    conditions = f"LIMITS(s) AND {condition} AND {narrowed.where} AND {later if after is not None else '1'}"

    # Of what was swept too early there is hardly any; left to itself SQLite would walk all rows in their order to find it.
    source = (
        f"{table_of(status)} s{f' INDEXED BY {table_of(status)}_over' if condition == _STANDING[1] else ''}"
    )

    def asked(more: str, **given: object) -> Iterator[Key]:
        sql = f"SELECT s.priority, s.issued, s.row FROM {source} WHERE {conditions}{more} ORDER BY {by} LIMIT :most"
        for each in ask(db, clearance, sql, {**arguments, **given}):
            yield Key(*each)

    if order != "newest" or condition != _STANDING[0] or narrowed.is_few:
        return asked("")
    # The index of what is live has the limits first, and the rows of each pair of them in order: what is hidden is not met.
    walks = (
        asked(" AND s.tlp_rank = :rank AND s.audience = :audience", rank=rank, audience=audience)
        for rank, audience in pairs_of(clearance)
    )
    return heapq.merge(*walks, key=_sort(order))


def _sort(order: str) -> Any:
    if order == "newest":
        return lambda key: -key.row
    return lambda key: (key.priority, -key.issued, -key.row)


def _is_after(key: Key, after: Key | None) -> bool:
    return after is None or _sort("gravest")(key) > _sort("gravest")(after)

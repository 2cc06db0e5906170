"""Figures that pages show: totals, tiles, facets, what came in each hour. Each is the number of bulletins that its reader may see.

Without a filter they are sums of counts that are kept (`bus.hub.picture.counts`), corrected by what has expired and was not swept
yet; under a filter the bulletins that are live and asked for are counted.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from bus.filters import Selection
from bus.hub.picture.clearance import ask
from bus.hub.picture.counts import ALL, COUNTED_BY, HOUR_S, Cell, Key, rank_of, spread
from bus.hub.picture.counts import FIELDS as COUNTED_FIELDS
from bus.hub.picture.lists import EVERYTHING, NOT_SWEPT, above_ceiling, standing
from bus.hub.rows import TABLE_OF
from bus.policy import MARKINGS, Clearance
from bus.storage import utc
from schemas.vocab import Status, Tlp

MOST = 50
"""So many values of a field are told, those that most have."""
BARS = {"hour": (HOUR_S, 48), "day": (86_400, 60)}
"""Seconds of a bar and how many there are, by what a histogram is drawn by."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """How many bulletins have a value, by priority; the first of these is the gravest."""

    value: str
    n: int
    by_priority: dict[str, int]


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """A field with its values, the most frequent first, and how many more values there are."""

    field: str
    values: tuple[Value, ...]
    more: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What is live.

    Attributes:
        n: how many bulletins.
        by_priority: of each priority.
        by_tlp: of each marking.
        narrowest: the narrowest marking of all that is counted, which is that of a page that tells them.
        above: how many more are said to the same audiences and marked above the reader's ceiling.
    """

    n: int
    by_priority: dict[str, int]
    by_tlp: dict[str, int]
    narrowest: str | None
    above: int


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """How many bulletins were issued in a span that begins then, by priority."""

    start: dt.datetime
    n: int
    by_priority: dict[str, int]


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """What was issued in the last hours, whether it is live or not.

    Attributes:
        bars: one for each hour, the oldest first; the last is not over.
        by_dimension: how many bulletins of each dimension, by priority.
        before: the same of as many hours before these.
    """

    bars: tuple[Bar, ...]
    by_dimension: dict[str, Value]
    before: dict[str, Value]


def totals(
    db: sqlite3.Connection, clearance: Clearance, now: dt.datetime, *, status: Status = Status.ACTUAL
) -> Totals:
    """How many are live, within the limits of a person; arguments as for `lists.gravest`."""
    counted = _counted(db, clearance, now, status, (ALL,))
    priorities: Counter[str] = Counter()
    ranks: Counter[int] = Counter()
    for (_, _, rank, _, priority), n in counted.items():
        priorities[priority] += n
        ranks[rank] += n
    return Totals(
        n=counted.total(),
        by_priority=dict(sorted(priorities.items())),
        by_tlp={str(MARKINGS[rank]): ranks[rank] for rank in sorted(ranks, reverse=True)},
        narrowest=str(MARKINGS[max(ranks)]) if ranks else None,
        above=above_ceiling(db, clearance, now, status),
    )


def tiles(
    db: sqlite3.Connection, clearance: Clearance, now: dt.datetime, *, status: Status = Status.ACTUAL
) -> dict[str, Value]:
    """How many live bulletins are about each country; `EU`, `MULTI` and `INTL` are areas too."""
    counted = _counted(db, clearance, now, status, ("area",))
    return {each.value: each for each in _values(counted).get("area", ())}


def facets(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    *,
    status: Status = Status.ACTUAL,
    selection: Selection = EVERYTHING,
    most: int = MOST,
) -> tuple[Facet, ...]:
    """How many live bulletins have each value of each field, of those that a filter asks for.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        status: actual or exercise.
        selection: what is asked for.
        most: so many values of a field.
    """
    if selection == EVERYTHING:
        return _facets(_counted(db, clearance, now, status, COUNTED_FIELDS), most)
    found, _ = facets_and_histogram(db, clearance, now, status=status, selection=selection, most=most)
    return found


def facets_and_histogram(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    *,
    status: Status = Status.ACTUAL,
    selection: Selection = EVERYTHING,
    by: str = "hour",
    upto: Tlp | None = None,
    most: int = MOST,
) -> tuple[tuple[Facet, ...], tuple[Bar, ...]]:
    """As `facets` and `histogram`; what a filter asks for is read once for both.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        status: actual or exercise.
        selection: what is asked for.
        by: `hour` or `day`, in UTC.
        upto: the histogram counts nothing that is marked narrower.
        most: so many values of a field.
    """
    ceiling = clearance.ceiling if upto is None else min(upto, clearance.ceiling, key=rank_of)
    if selection == EVERYTHING:
        counted = facets(db, clearance, now, status=status, most=most)
        clearance = msgspec.structs.replace(clearance, ceiling=ceiling)
        return counted, histogram(db, clearance, now, by=by, status=status)
    span, number = BARS[by]
    last = int(now.timestamp() // span)
    first = last - number + 1
    columns = f"{COUNTED_BY}, min(max(CAST(s.issued / {span} AS INTEGER), {first}), {last}) AS start"
    cells: Counter[Cell] = Counter()
    found: Counter[tuple[int, str]] = Counter()
    for *values, start, n in standing(
        db, clearance, now, status, selection, f"{columns}, count(*)", by=f"{COUNTED_BY}, start"
    ):
        cell = Cell(*values)
        cells[cell] += n
        if rank_of(cell.tlp) <= rank_of(ceiling):
            found[start, cell.priority] += n
    return _facets(spread(cells), most), _bars(found, range(first, last + 1), span)


def _facets(counted: Counter[Key], most: int) -> tuple[Facet, ...]:
    values = _values(counted)
    limits: tuple[tuple[str, int], ...] = (("priority", 4), ("tlp", 2), ("audience", 3))
    whole = Counter({key: n for key, n in counted.items() if key[0] == ALL})
    for field, place in limits:
        moved: Counter[Key] = Counter()
        for key, n in whole.items():
            value = str(MARKINGS[key[2]]) if field == "tlp" else str(key[place])
            moved[field, value, *key[2:]] += n
        values |= _values(moved)
    return tuple(
        Facet(field=field, values=tuple(found[:most]), more=max(0, len(found) - most))
        for field in (*(each for each in COUNTED_FIELDS if each != ALL), *(field for field, _ in limits))
        if (found := values.get(field, []))
    )


def histogram(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    *,
    by: str = "hour",
    status: Status = Status.ACTUAL,
    selection: Selection = EVERYTHING,
) -> tuple[Bar, ...]:
    """When what is live and asked for was issued, in the last 48 hours or 60 days; what is older stands in the first bar.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        by: `hour` or `day`, in UTC.
        status: actual or exercise.
        selection: what is asked for.
    """
    span, number = BARS[by]
    last = int(now.timestamp() // span)
    found: Counter[tuple[int, str]] = Counter()
    columns = f"CAST(s.issued / {span} AS INTEGER), s.priority, count(*)"
    for start, priority, n in standing(db, clearance, now, status, selection, columns, by="1, 2"):
        found[min(max(start, last - number + 1), last), priority] += n
    return _bars(found, range(last - number + 1, last + 1), span)


def arrivals(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    *,
    hours: int = 24,
    status: Status = Status.ACTUAL,
) -> Arrivals:
    """What was issued in the last hours, the present one included, by dimension and by hour; withdrawals are not counted.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        hours: so many.
        status: actual or exercise.
    """
    last = int(now.timestamp() // HOUR_S)
    sql = (
        "SELECT h.hour, h.dimension, h.priority, sum(h.n) FROM hourly h WHERE LIMITS(h) AND h.of = :of AND h.hour > :first "
        "AND h.hour <= :last GROUP BY h.hour, h.dimension, h.priority"
    )
    rows = ask(
        db, clearance, sql, {"of": TABLE_OF[status], "first": last - 2 * hours, "last": last}
    ).fetchall()
    bars = Counter({(hour, priority): n for hour, dimension, priority, n in rows if not dimension and n})
    parts: tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]] = (Counter(), Counter())
    for hour, dimension, priority, n in rows:
        if dimension:
            parts[hour > last - hours][dimension, priority] += n
    before, lately = map(_by_value, parts)
    return Arrivals(
        bars=_bars(bars, range(last - hours + 1, last + 1), HOUR_S),
        by_dimension={each.value: each for each in lately},
        before={each.value: each for each in before},
    )


def _counted(
    db: sqlite3.Connection, clearance: Clearance, now: dt.datetime, status: Status, fields: Iterable[str]
) -> Counter[Key]:
    """What the tally says of some fields, corrected."""
    table, wanted = TABLE_OF[status], tuple(fields)
    counted: Counter[Key] = Counter()
    sql = (
        "SELECT t.field, t.value, t.tlp_rank, t.audience, t.priority, t.n FROM tally t "
        "WHERE t.of = :of AND t.field = :field AND LIMITS(t)"
    )
    for field in wanted:
        for row in ask(db, clearance, sql, {"of": table, "field": field}):
            counted[row[0], row[1], row[2], row[3], row[4]] += row[5]
    for condition, sign in zip(NOT_SWEPT, (-1, 1), strict=True):
        sql_of_rows = f"SELECT {COUNTED_BY} FROM {table} s WHERE LIMITS(s) AND {condition}"
        cells = Counter(Cell(*row) for row in ask(db, clearance, sql_of_rows, {"now": now.timestamp()}))
        for key, n in spread(cells).items():
            if key[0] in wanted:
                counted[key] += sign * n
    return +counted


def _values(counted: Mapping[Key, int]) -> dict[str, list[Value]]:
    """Values by field, the most frequent first."""
    by_field: dict[str, Counter[tuple[str, str]]] = {}
    for (field, value, _, _, priority), n in counted.items():
        by_field.setdefault(field, Counter())[value, priority] += n
    return {field: _by_value(found) for field, found in by_field.items()}


def _by_value(found: Mapping[tuple[str, str], int]) -> list[Value]:
    values: dict[str, dict[str, int]] = {}
    for (value, priority), n in sorted(found.items()):
        if n:
            values.setdefault(value, {})[priority] = n
    told = [Value(value=value, n=sum(each.values()), by_priority=each) for value, each in values.items()]
    return sorted(told, key=lambda each: (-each.n, each.value))


def _bars(found: Mapping[tuple[int, str], int], spans: Iterable[int], span: int) -> tuple[Bar, ...]:
    by_span: dict[int, dict[str, int]] = {}
    for (start, priority), n in sorted(found.items()):
        by_span.setdefault(start, {})[priority] = n
    return tuple(
        Bar(start=utc(each * span), n=sum(by_span.get(each, {}).values()), by_priority=by_span.get(each, {}))
        for each in spans
    )

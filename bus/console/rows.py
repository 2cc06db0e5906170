"""Bulletins in lists: one row each, read under the reader's clearance, in pages that neither repeat nor skip."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from bus import sheets
from bus.console.asked import Asked
from bus.filters import Selection, question_of
from bus.hub.picture import tallies
from bus.storage import utc
from bus.subscribing import whole

EVERYTHING = Selection()
TALK = "feedback"
"""A kind that answers others: it stands beside what it answers, and in a list where it is asked for."""
Counts = Counter[tallies.Sort]
STANDS = "s.ended_by IS NULL AND NOT s.is_over AND s.expires > ?"
_TABLES = {"actual": "actual", "exercise": "exercise"}
GRAVE, TIME = "grave", "time"
_ORDER = {
    GRAVE: "s.priority, s.issued DESC, s.row DESC",
    TIME: "s.issued DESC, s.row DESC",
}
_AFTER = {
    GRAVE: "(s.priority > ? OR (s.priority = ? AND (s.issued < ? OR (s.issued = ? AND s.row < ?))))",
    TIME: "(s.issued < ? OR (s.issued = ? AND s.row < ?))",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin in a list.

    Attributes:
        row: its row in the store, by which it is known whether somebody has seen it.
        ended: what has become of it: `superseded`, `withdrawn`, `expired`; empty while it is in force.
        is_new: whether it came since its reader last looked.
        is_sealed: whether its words are sealed to others: then the headline is that of its cover.
    """

    id: str
    row: int
    at: dt.datetime
    expires: dt.datetime
    priority: int
    issuer: str
    name: str
    kind: str
    kind_name: str
    headline: str
    tlp: str
    audience: str
    area: str
    dimensions: tuple[str, ...]
    election: str | None
    incident: str | None
    ended: str = ""
    is_new: bool = False
    is_sealed: bool = False
    labels: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Its page."""
        return f"/b/{self.id}"


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page of a list ends: what comes next is graver than, or as old as, nothing before it."""

    priority: str
    issued: float
    row: int

    @classmethod
    def read(cls, text: str) -> Spot | None:
        """From an address; None where it is none."""
        parts = text.split("_")
        try:
            return cls(priority=parts[0], issued=float(parts[1]), row=int(parts[2]))
        except (IndexError, ValueError):
            return None

    def __str__(self) -> str:
        """As it stands in an address."""
        return f"{self.priority}_{self.issued!r}_{self.row}"


def conditions(
    asked: Asked, selection: Selection = EVERYTHING, *, ended: bool = False, since: dt.datetime | None = None
) -> tuple[str, list[object]]:
    """The condition for what is asked for, in what this reader may read, and its values. The table is called `s`.

    Args:
        asked: the request.
        selection: what is asked for.
        ended: also what is not in force any more.
        since: issued no earlier.
    """
    seen, values = asked.clearance.where("s")
    parts = [seen]
    arguments: list[object] = [*values]
    if TALK not in selection.kind:
        parts.append("s.kind != ?")
        arguments.append(TALK)
    if asked.only:
        parts.append(f"s.tlp IN ({', '.join('?' * len(asked.only))})")
        arguments += asked.only
    if not ended:
        parts.append(STANDS)
        arguments.append(asked.now.timestamp())
    if since is not None:
        parts.append("s.issued >= ?")
        arguments.append(since.timestamp())
    question = question_of(selection, asked.now)
    if question.where != "1":
        # What waits to be indexed is looked at by itself.
        parts.append(
            f"(s.row IN (SELECT row FROM {{table}} WHERE {question.where}) OR s.row IN (SELECT row FROM to_index))"
        )
        arguments += question.arguments
    return " AND ".join(parts), arguments


def listed(
    asked: Asked,
    selection: Selection = EVERYTHING,
    *,
    most: int,
    order: str = GRAVE,
    after: Spot | None = None,
    ended: bool = False,
    since: dt.datetime | None = None,
    table: str = "actual",
) -> tuple[tuple[Row, ...], Spot | None]:
    """The bulletins that are asked for, at most so many, and where the next page begins; None at the end.

    Args:
        asked: the request.
        selection: what is asked for.
        most: so many at most.
        order: `grave`, by priority and then the newest, or `time`.
        after: where the page before has ended.
        ended: also what is not in force any more.
        since: issued no earlier.
        table: `actual`, or `exercise`: the two never stand in one list.
    """
    name = _TABLES[table]
    where, arguments = conditions(asked, selection, ended=ended, since=since)
    where = where.format(table=name)
    if after is not None:
        where = f"{where} AND {_AFTER[order]}"
        arguments += [after.priority] * 2 if order == GRAVE else []
        arguments += [after.issued, after.issued, after.row]
    sql = f"SELECT s.* FROM {name} s WHERE {where} ORDER BY {_ORDER[order]} LIMIT {int(most) + 1}"
    rows = asked.db.execute(sql, arguments).fetchall()
    cut = rows[:most]
    found = tuple(made(asked, cut, selection))
    last = cut[-1] if cut else None
    spot = None
    if last is not None and len(rows) > most:
        spot = Spot(priority=last["priority"], issued=last["issued"], row=last["row"])
    return found, spot


def made(asked: Asked, rows: Iterable[sqlite3.Row], selection: Selection = EVERYTHING) -> Iterator[Row]:
    """Rows of a table of the situation as rows of a list; what only waited to be indexed, and is not asked for, is left out."""
    every = list(rows)
    kept = {each["row"]: each for each in every}
    marks = ", ".join("?" * len(kept))
    labels: dict[int, tuple[str, ...]] = {}
    fits: set[int] = set()
    for held in whole(asked.db.execute(f"SELECT * FROM admitted WHERE row IN ({marks})", list(kept))):
        labels[held.rowid] = tuple(sorted(held.labels))
        if selection.is_any or selection.matches(held.bulletin, asked.now):
            fits.add(held.rowid)
    say = sheets.sayings("en")
    for each in every:
        if each["row"] in fits:
            yield _row(asked, each, labels[each["row"]], say)


def _row(asked: Asked, row: sqlite3.Row, labels: tuple[str, ...], say: sheets.Sayings) -> Row:
    how = row["ended_how"]
    ended = {"cancelled": "withdrawn", "withdrawal": "a withdrawal"}.get(how or "", how or "")
    if not ended and row["expires"] <= asked.now.timestamp():
        ended = "expired"
    seen = asked.session.seen
    return Row(
        id=row["id"],
        row=row["row"],
        at=utc(row["issued"]),
        expires=utc(row["expires"]),
        priority=int(row["priority"].removeprefix("p")),
        issuer=row["issuer"],
        name=asked.name_of(row["issuer"]),
        kind=row["kind"],
        kind_name=_capital(say.word("kind", row["kind"])),
        headline=row["headline"],
        tlp=row["tlp"],
        audience=row["audience"],
        area=row["area"].upper(),
        dimensions=tuple(json.loads(row["dimensions"])),
        election=row["election"],
        incident=row["incident"],
        ended=ended,
        is_new=seen is not None and row["row"] > seen,
        is_sealed=row["kind"] == "sealed",
        labels=labels,
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def tally(asked: Asked, table: str = "actual") -> Counts:
    """How many bulletins in force this reader may read, by what they are counted by."""
    where, arguments = conditions(asked)
    columns = ", ".join(f"s.{name}" for name in tallies.Sort._fields)
    sql = f"SELECT {columns}, count(*) FROM {_TABLES[table]} s WHERE {where} GROUP BY {columns}"
    return Counter({tallies.Sort(*sort): n for *sort, n in asked.db.execute(sql, arguments)})


def facets(asked: Asked, selection: Selection) -> dict[str, Counter[str]]:
    """Of what is asked for and in force, how many have which value, by field."""
    where, arguments = conditions(asked, selection)
    where = where.format(table="actual")
    sql = (
        "SELECT f.field, f.value, count(*) FROM actual s JOIN facts f ON f.row = s.row "
        f"WHERE {where} GROUP BY f.field, f.value"
    )
    found: dict[str, Counter[str]] = {}
    for field, value, count in asked.db.execute(sql, arguments):
        found.setdefault(field, Counter())[value] = count
    return found


def number(asked: Asked, selection: Selection = EVERYTHING, *, since: dt.datetime | None = None) -> int:
    """How many bulletins in force are asked for; of those that wait to be indexed it may count too many."""
    where, arguments = conditions(asked, selection, since=since)
    where = where.format(table="actual")
    return int(asked.db.execute(f"SELECT count(*) FROM actual s WHERE {where}", arguments).fetchone()[0])

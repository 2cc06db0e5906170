"""Feed addresses: one list, read by a program that cannot sign in, such as a calendar. Inside a transaction.

An address holds a secret, which is shown once and kept as its digest. It reads what its person may read now, up to GREEN and no
further; it does nothing else. It ends by its time, by hand, and with its person: disabled, given a new token, or restored from an
older copy.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk import trail
from bus.desk.refusals import MAX_FEEDS, MAX_NAME, MAX_QUERY, DeskError, check_room, check_text
from bus.desk.roles import Act, Action, Role, check_may, may, not_there, roles_may
from bus.desk.tokens import MAX_TOKEN, Random, hashed, new_secret
from bus.policy import Clearance
from bus.storage import Layout, from_row, single
from schemas.vocab import Tlp

CEILING = Tlp.GREEN
"""What a feed address gives at most: each program that knows the address reads the list."""
LASTS_DAYS = (30, 90, 365)
"""For how many days one may be made."""
RECORDED_EACH_S = 3600.0
"""Its use is put on record this often, and not with each request."""
_DAY_S = 86_400.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS feeds (
  n INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL UNIQUE, person TEXT NOT NULL REFERENCES people (id), name TEXT NOT NULL,
  path TEXT NOT NULL, query TEXT NOT NULL, made_at REAL NOT NULL, ends_at REAL NOT NULL, used_at REAL
);
CREATE INDEX IF NOT EXISTS feeds_of ON feeds (person, n);
"""
LAYOUT = Layout("feeds", SCHEMA)


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed address as it may be shown: by its number, never by its secret.

    Attributes:
        n: the number by which it is ended.
        person: whose it is.
        name: what its person calls it.
        path: the list, with its form, as `/b.atom`.
        query: its filter, as the query of an address.
        made_at: when it was made.
        ends_at: when it ends at the latest.
        used_at: when it was last used, to the hour; None for never.
    """

    n: int
    person: str
    name: str
    path: str
    query: str
    made_at: float
    ends_at: float
    used_at: float | None


def add(db: sqlite3.Connection, act: Act, name: str, path: str, query: str, days: int, random: Random) -> str:
    """Make a feed address. Returns its secret, which is nowhere kept in clear.

    Args:
        db: inside a transaction that writes.
        act: whose it is.
        name: what its person calls it.
        path: the list with its form; the caller has checked that there is one.
        query: the filter.
        days: one of `LASTS_DAYS`.
        random: a source of random bytes.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `text-too-long`, `text-empty`, `text-unseen`, `desk-full`, `desk-refused` (days).
    """
    check_may(act, Action.EXPORT)
    if days not in LASTS_DAYS:
        raise DeskError(f"a feed address lasts {', '.join(map(str, LASTS_DAYS))} days", reason="desk-refused")
    named = check_text(name, MAX_NAME, "the name of a feed address")
    asked = check_text(query, MAX_QUERY, "a filter", empty=True)
    held = single(db, "SELECT count(*) FROM feeds WHERE person = ? AND ends_at > ?", act.who, act.at)
    check_room(held, MAX_FEEDS, "feed addresses of yours")
    secret = new_secret(random)
    db.execute(
        "INSERT INTO feeds (hash, person, name, path, query, made_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (hashed(secret), act.who, named, path, asked, act.at, act.at + days * _DAY_S),
    )
    trail.add(db, act, "feed-added", named, f"{path}?{asked}, for {days} days")
    return secret


def reading(db: sqlite3.Connection, secret: str, at: float, address: str) -> tuple[Act, Feed]:
    """Who reads by a secret, and what.

    Args:
        db: inside a transaction.
        secret: as it stood in the address.
        at: the present, in seconds since the epoch.
        address: from where.

    Raises:
        DeskError: `feed-ended`, it is over, was ended, or never was, or its person may not export any more.
    """
    row = None
    if len(secret) <= MAX_TOKEN:
        row = db.execute(
            "SELECT f.n, f.person, f.name, f.path, f.query, f.made_at, f.ends_at, f.used_at, p.roles, p.ceiling, p.audiences "
            "FROM feeds f JOIN people p ON p.id = f.person WHERE f.hash = ? AND f.ends_at > ? AND p.is_active",
            (hashed(secret), at),
        ).fetchone()
    roles = frozenset(map(Role, row["roles"].split())) if row is not None else frozenset()
    if row is None or not roles_may(roles, Action.EXPORT):
        raise DeskError("there is no such feed address, or it has ended", reason="feed-ended")
    audiences = frozenset(row["audiences"].split())
    clearance = Clearance(Tlp(row["ceiling"]), audiences).within(Clearance(CEILING, audiences))
    act = Act(who=row["person"], roles=roles, clearance=clearance, at=at, address=address)
    return act, Feed(**{each: row[each] for each in Feed.__struct_fields__})


def is_to_be_recorded(feed: Feed, at: float) -> bool:
    """Whether `record` is due."""
    return feed.used_at is None or not 0 <= at - feed.used_at < RECORDED_EACH_S


def record(db: sqlite3.Connection, secret: str, at: float, address: str) -> None:
    """Put the use of an address on record, if that is due.

    Raises:
        DeskError: as `reading`; `desk-too-much`.
    """
    act, feed = reading(db, secret, at, address)
    if is_to_be_recorded(feed, at):
        db.execute("UPDATE feeds SET used_at = ? WHERE n = ?", (at, feed.n))
        trail.add(db, act, "feed-read", feed.name, f"{feed.path}?{feed.query}")


def listed(db: sqlite3.Connection, act: Act, person: str = "") -> list[Feed]:
    """Addresses that have not ended, the newest first: of one person, or of all.

    Raises:
        DeskError: `desk-role`, `desk-wall`: one's own may be seen by everybody, others by an administrator.
    """
    check_may(act, Action.OWN_ACCOUNT if person == act.who else Action.SEE_PEOPLE)
    rows = db.execute(
        "SELECT n, person, name, path, query, made_at, ends_at, used_at FROM feeds "
        "WHERE ends_at > :at AND (:person = '' OR person = :person) ORDER BY n DESC",
        {"at": act.at, "person": person},
    )
    return [from_row(Feed, row) for row in rows]


def end(db: sqlite3.Connection, act: Act, n: int) -> None:
    """End an address by its number: one's own, or, as an administrator, any.

    Raises:
        DeskError: `not-there`, also for another's; `desk-wall`.
    """
    row = db.execute("SELECT person, name FROM feeds WHERE n = ?", (n,)).fetchone()
    if row is None or not (row["person"] == act.who or may(act, Action.END_SESSIONS)):
        raise not_there("feed address")
    if row["person"] == act.who:
        check_may(act, Action.OWN_ACCOUNT)
    db.execute("DELETE FROM feeds WHERE n = ?", (n,))
    trail.add(db, act, "feed-ended", row["person"], row["name"])


def end_all(db: sqlite3.Connection, person: str) -> None:
    """End all addresses of a person, as part of what is put on record as another act."""
    db.execute("DELETE FROM feeds WHERE person = ?", (person,))


def distrust(db: sqlite3.Connection) -> None:
    """End all addresses: the file is an older copy, perhaps of a release that had none."""
    if single(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'feeds'"):
        db.execute("DELETE FROM feeds")


def forget(db: sqlite3.Connection, at: float) -> None:
    """Take out addresses that have ended by their time."""
    db.execute("DELETE FROM feeds WHERE ends_at <= ?", (at,))

"""Attempts to sign in that wait longer after each failure, for a name and for an address. Inside a transaction.

An attempt is counted before the password is looked at, so that many at once are no way around. A name that nobody has is treated
like one that somebody has. After `LOCKED_AFTER` failures in a row a name is locked until an administrator lets that person in
(NIST SP 800-63B-4, section 3.2.2, asks for 100 at most). Failures at an address from which this person has signed in before are
counted apart, so that strangers elsewhere neither make the person wait there nor lock the person out. Rows of names and addresses
are bounded; those of people here are never pushed out by strangers.
"""

from __future__ import annotations

import hashlib
import ipaddress
import sqlite3

from bus.desk.refusals import MAX_ATTEMPTS, MAX_PLACES, DeskError
from bus.storage import single

FREE_OF_NAME, FREE_OF_ADDRESS = 5, 20
"""So many failures cost no wait: people mistype, and an office shares an address."""
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 900.0
LOCKED_AFTER = 100
FORGOTTEN_AFTER_S = 86_400.0
"""After this time without a failure an address, or a name that nobody has, begins again."""


def wait_after(failures: int, free: int) -> float:
    """Seconds to wait after so many failures in a row: none, then 30, doubled each time, up to 15 minutes."""
    if failures < free:
        return 0.0
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - free, 16))


def begin(db: sqlite3.Connection, name: str, address: str, at: float, *, is_known: bool) -> None:
    """Count an attempt, as one that fails until `succeed` says otherwise.

    Raises:
        DeskError: `sign-in-locked`, `sign-in-wait`; then it is not counted, and the password is not looked at.
    """
    keys = (
        (_of_name_at(db, name, address), is_known, FREE_OF_NAME),
        (_of_address(address), False, FREE_OF_ADDRESS),
    )
    rows = {key: _row(db, key, at, is_kept=kept) for key, kept, _ in keys}
    if rows[keys[0][0]][0] >= LOCKED_AFTER:
        raise DeskError(
            "too many attempts have failed; ask an administrator to let you in", reason="sign-in-locked"
        )
    left = max(until for _, until in rows.values()) - at
    if left > 0:
        minutes = int(left // 60) + 1
        raise DeskError(
            f"several attempts have failed; wait {minutes} minute(s), then try again", reason="sign-in-wait"
        )
    for key, kept, free in keys:
        failures = rows[key][0] + 1
        db.execute(
            "REPLACE INTO attempts VALUES (?, ?, ?, ?, ?)",
            (key, kept, failures, at + wait_after(failures, free), at),
        )
    _push_out(db)


def succeed(db: sqlite3.Connection, name: str, address: str, at: float) -> None:
    """The attempt was good: the name begins again here, the address has one failure less, and is a place of this person."""
    db.execute("DELETE FROM attempts WHERE key = ?", (_of_name_at(db, name, address),))
    place = _of_address(address)
    db.execute(
        "UPDATE attempts SET failures = failures - 1, until = 0 WHERE key = ? AND failures > 0", (place,)
    )
    db.execute("REPLACE INTO places VALUES (?, ?, ?)", (name, place, at))
    old = [
        row["key"]
        for row in db.execute(
            "SELECT key FROM places WHERE person = ? ORDER BY at DESC, key LIMIT -1 OFFSET ?",
            (name, MAX_PLACES),
        )
    ]
    for key in old:
        db.execute("DELETE FROM attempts WHERE key = ?", (_key(f"name {name} at {key}"),))
        db.execute("DELETE FROM places WHERE person = ? AND key = ?", (name, key))


def let_in(db: sqlite3.Connection, name: str) -> None:
    """Forget the failures of a name, wherever they were."""
    places = db.execute("SELECT key FROM places WHERE person = ?", (name,)).fetchall()
    for key in (_of_name(name), *(_key(f"name {name} at {row['key']}") for row in places)):
        db.execute("DELETE FROM attempts WHERE key = ?", (key,))


def is_locked(db: sqlite3.Connection, name: str, address: str) -> bool:
    """Whether a name is locked at an address until an administrator lets in."""
    row = db.execute(
        "SELECT failures FROM attempts WHERE key = ?", (_of_name_at(db, name, address),)
    ).fetchone()
    return row is not None and row["failures"] >= LOCKED_AFTER


def forget(db: sqlite3.Connection, at: float) -> None:
    """Take out what is too old to count."""
    db.execute("DELETE FROM attempts WHERE is_known = 0 AND at < ?", (at - FORGOTTEN_AFTER_S,))


def _row(db: sqlite3.Connection, key: str, at: float, *, is_kept: bool) -> tuple[int, float]:
    row = db.execute("SELECT failures, until, at FROM attempts WHERE key = ?", (key,)).fetchone()
    if row is None or (not is_kept and at - row["at"] > FORGOTTEN_AFTER_S):
        return 0, 0.0
    # An end that lies further ahead than any wait was written before the clock was set back.
    return row["failures"], row["until"] if row["until"] <= at + LONGEST_WAIT_S else 0.0


def _push_out(db: sqlite3.Connection) -> None:
    over = single(db, "SELECT count(*) FROM attempts WHERE is_known = 0") - MAX_ATTEMPTS
    if over > 0:  # those who wait longest stay
        db.execute(
            "DELETE FROM attempts WHERE key IN "
            "(SELECT key FROM attempts WHERE is_known = 0 ORDER BY until, at LIMIT ?)",
            (over,),
        )


def _of_name(name: str) -> str:
    return _key(f"name {name}")


def _of_name_at(db: sqlite3.Connection, name: str, address: str) -> str:
    place = _of_address(address)
    is_place = db.execute("SELECT 1 FROM places WHERE person = ? AND key = ?", (name, place)).fetchone()
    return _key(f"name {name} at {place}") if is_place else _of_name(name)


def household(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, which one household or office has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _of_address(address: str) -> str:
    return _key(f"address {household(address)}")


def _key(text: str) -> str:
    # The typed text may be a password; and a key has the same length for every text.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

"""The layout of a SQLite file: the tables of each room, their versions, and the steps from an older version.

Several rooms keep tables in one file. Each room describes its own in a `Layout`; the table `layouts` records the
version of each. `PRAGMA user_version` is the version of that table. `PRAGMA application_id` is tocsin's mark with the
wire number in its last byte: the signed bytes in a file cannot be translated to another wire. A file of a wire that
this release does not read is refused. So is a file with tables and no mark, which is older than wire numbers or not a
store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bus.errors import StoreError
from schemas.codec import WIRE, WIRES_READ

RECORD = 1
"""The version of the table `layouts` itself."""
MARK = int.from_bytes(b"TOC")
"""The first three bytes of `application_id`."""

_GIVE_UP = (
    "use the release that wrote it, or move the file away and read again what the bus still holds; for an outbox: "
    "tocsin outbox recover"
)
_RECORD = "CREATE TABLE IF NOT EXISTS layouts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"


class Layout(NamedTuple):
    """The tables of one room.

    Attributes:
        name: their name in `layouts`; it never changes.
        schema: SQL that makes missing tables and indexes of the present version.
        migrations: SQL; the first step leads from version 1 to 2, and so on. A step is never changed once released.
    """

    name: str
    schema: str
    migrations: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """The present version."""
        return len(self.migrations) + 1


def is_current(db: sqlite3.Connection, path: Path, layouts: Sequence[Layout]) -> bool:
    """Whether the file has all these layouts in their present versions. Reads only.

    Args:
        db: the open file.
        path: its name, for messages.
        layouts: the layouts that it must have; the first determines the kind of file.

    Raises:
        StoreError: `store-layout`, it is another kind of file or of a later version; `store-wire`, it is of another
            wire or has no mark.
    """
    check_mark(db, path)
    recorded = _recorded(db)
    if recorded and layouts[0].name not in recorded:
        raise StoreError(
            f"{path} is a SQLite file without the tables of '{layouts[0].name}'; name another file",
            reason="store-layout",
        )
    for layout in layouts:
        if recorded.get(layout.name, 0) > layout.version:
            raise _later(path, f"{layout.name} {recorded[layout.name]}", f"{layout.version}")
    return _wire(db) == WIRE and all(recorded.get(layout.name) == layout.version for layout in layouts)


def is_older(db: sqlite3.Connection, layouts: Sequence[Layout]) -> bool:
    """Whether the file has an earlier wire or tables of an earlier version, which `bring_up_to_date` changes."""
    recorded = _recorded(db)
    return (bool(recorded) and _wire(db) < WIRE) or any(
        0 < recorded.get(layout.name, 0) < layout.version for layout in layouts
    )


def bring_up_to_date(db: sqlite3.Connection, path: Path, layouts: Sequence[Layout]) -> None:
    """Make missing tables and change older ones, inside a transaction.

    Raises:
        StoreError: `store-layout`, its tables are not those of the version that it records.
    """
    recorded = _recorded(db)
    is_changed = is_older(db, layouts)
    db.execute(_RECORD)
    for layout in layouts:
        version = recorded.get(layout.name, 0)
        steps = layout.migrations[version - 1 :] if version else ()
        for statement in _statements(*steps, layout.schema):
            try:
                db.execute(statement)
            except sqlite3.OperationalError as exc:
                if not is_changed or exc.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                    raise
                raise _unknown(path, str(exc)) from exc
        db.execute("REPLACE INTO layouts VALUES (?, ?)", (layout.name, layout.version))
    db.execute(f"PRAGMA application_id = {MARK << 8 | WIRE}")
    db.execute(f"PRAGMA user_version = {RECORD}")


def check_mark(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a file of another program, wire or release; see `is_current`."""
    mark, record = _pragma(db, "application_id"), _pragma(db, "user_version")
    if mark == record == 0:
        if _has_tables(db):
            raise StoreError(
                f"{path} has no wire number: it is of a release before wire {WIRE}, or of another program; {_GIVE_UP}",
                reason="store-wire",
            )
        return
    if mark >> 8 != MARK:
        raise StoreError(
            f"{path} is a SQLite file of another program; name another file", reason="store-layout"
        )
    if (wire := _wire(db)) not in WIRES_READ:
        raise StoreError(
            f"{path} is of wire {wire}, and this release speaks wire {WIRE}; {_GIVE_UP}",
            reason="store-wire",
        )
    if record > RECORD:
        raise _later(path, f"record {record}", str(RECORD))


def _wire(db: sqlite3.Connection) -> int:
    return _pragma(db, "application_id") & 0xFF


def _later(path: Path, version: str, known: str) -> StoreError:
    return StoreError(
        f"{path} was written by a later release ({version}, known here: {known}); use that release, or a copy of the file that "
        "was made before it",
        reason="store-layout",
    )


def _unknown(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path} has a layout that this release does not know ({why}); {_GIVE_UP}",
        reason="store-layout",
    )


def _recorded(db: sqlite3.Connection) -> dict[str, int]:
    if _pragma(db, "user_version") == 0:
        return {}
    return {row[0]: row[1] for row in db.execute("SELECT name, version FROM layouts")}


def _has_tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _statements(*scripts: str) -> Iterator[str]:
    for script in scripts:
        yield from filter(str.strip, script.split(";\n"))


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])

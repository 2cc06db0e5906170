"""What a disk or a wrong hand does to the files of programs."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from pathlib import Path

SIDES = ("", "-wal", "-shm")
WAL_HEADER = 32
FRAME_HEADER = 24


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Turn over one bit of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        (was,) = file.read(1)
        file.seek(at)
        file.write(bytes([was ^ 1 << bit]))


def flip_in_log(database: Path, rng: random.Random) -> bool:
    """Turn over a bit in the latter half of what stands in a database's write-ahead log alone; False when nothing does."""
    log = database.with_name(f"{database.name}-wal")
    if not log.exists() or log.stat().st_size <= WAL_HEADER + FRAME_HEADER:
        return False
    size = log.stat().st_size
    flip(log, rng.randrange(max(size // 2, WAL_HEADER + FRAME_HEADER), size), rng.randrange(8))
    return True


def flip_in_row(database: Path, table: str, where: str, rng: random.Random) -> str | None:
    """Turn over a bit in the payload of one row of a program that does not run, as on the page it stands on.

    Returns:
        The digest that stands beside the payload; None when there is no such row.
    """
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as db:
        # What is admitted is a view; its bytes lie in a table of their own.
        key, target = ("row", "bodies") if table == "admitted" else ("rowid", table)
        rows = db.execute(f"SELECT {key}, digest, payload FROM {table} WHERE {where}").fetchall()
        if not rows:
            return None
        row, digest, payload = rng.choice(rows)
        damaged = bytearray(payload)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        db.execute(f"UPDATE {target} SET payload = ? WHERE rowid = ?", (bytes(damaged), row))
        return str(digest)


def files_of(database: Path) -> list[Path]:
    """The files of a database that are there."""
    return [path for side in SIDES if (path := database.with_name(f"{database.name}{side}")).exists()]


def delete(database: Path) -> None:
    """Delete a database with its log."""
    for path in files_of(database):
        path.unlink()


def keep(database: Path, folder: Path) -> None:
    """Copy a database as it is into a folder, as a backup that knows nothing of it does."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in files_of(database):
        shutil.copy2(path, folder / path.name)


def put_back(database: Path, folder: Path) -> None:
    """Put a copy in the place of a database: other files under the same names."""
    delete(database)
    for path in folder.iterdir():
        shutil.copy2(path, database.with_name(path.name))

"""A brief look into a database that programs use, without making, changing or waiting for anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WAIT_S = 0.05


@contextmanager
def only_read(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection for questions that may stay unanswered, such as completion in a shell.

    Neither the layout nor the soundness of the file is checked.

    Raises:
        sqlite3.Error: the file cannot be read, or a program locks it for longer than `WAIT_S`.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S, isolation_level=None)) as db:
        yield db

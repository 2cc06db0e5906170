"""A brief look into a database that programs use: nothing is made, waited for or changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WAIT_S = 0.05


@contextmanager
def only_read(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can write nothing, for what may just as well stay unanswered, such as completion in a shell.

    The file is not checked: neither its layout, nor whether it is whole.

    Raises:
        sqlite3.Error: it cannot be read, or a program holds it for longer than `WAIT_S`.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S, isolation_level=None)) as db:
        yield db

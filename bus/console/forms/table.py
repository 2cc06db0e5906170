"""A list as CSV (RFC 4180), in UTF-8 with a mark so that a spreadsheet reads it as such. Pure.

A spreadsheet computes a cell that begins with a sign, so such a text gets an apostrophe before it (OWASP, CSV injection); after a
semicolon too, which some spreadsheets take for the end of a cell. Line breaks become blanks, for a row is a line.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator

from bus.console import texts
from bus.console.forms.shape import Cell, Listing

KIND = "text/csv; charset=utf-8; header=present"
_BLANK = re.compile(r"\s+")
_ACTS = re.compile("(^|;)([\\s\u200c\u200d\u00ad]*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def write(listing: Listing) -> bytes:
    """The bytes of a file; what is not in it stands in its last lines."""
    out = io.StringIO(newline="")
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(listing.columns)
    cells = _Cells()
    lines.writerows([cells[each] for each in item.cells] for item in listing.items)
    rest = [""] * (len(listing.columns) - 1)
    lines.writerows([cell(words), *rest] for words in _last(listing))
    return out.getvalue().encode("utf-8-sig")


class _Cells(dict[Cell, str | int | float]):
    """Values as they stand in cells: markings, authors and kinds come again in most rows, and are worked out once."""

    def __missing__(self, value: Cell) -> str | int | float:
        found = cell(value)
        if isinstance(value, str | tuple):  # 1, 1.0 and True are one key
            self[value] = found
        return found


def cell(value: Cell) -> str | int | float:
    """A value as it stands in a cell: moments in UTC, several values with commas, texts shown and harmless."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, tuple):
        text = ", ".join(value)
    elif isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC).isoformat()[:19]}Z"
    elif isinstance(value, bool):
        return "yes" if value else "no"
    else:
        return "" if value is None else value
    if _is_plain(text):
        return text
    return _ACTS.sub(r"\1\2'", _BLANK.sub(" ", texts.shown(text)).strip())


def _is_plain(text: str) -> bool:
    """Whether nothing of a text would be changed, which is so for most: printable ASCII that begins with a letter or a digit."""
    return (
        text.isascii() and text.isprintable() and text[:1].isalnum() and text[-1:] != " " and "  " not in text and ";" not in text
    ) or not text  # fmt: skip


def _last(listing: Listing) -> Iterator[str]:
    yield from listing.notes
    if listing.next:
        yield f"More match. The next ones: {listing.base}{listing.next}"

"""A list in another form, as a file: what is under embargo is held back, and the marking is in the name of the file."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable

import msgspec

from bus.console.asked import Asked
from bus.console.forms.shape import Form, Listing
from bus.console.page import Content, Page
from bus.subscribing import as_json, whole
from schemas.passing_on import embargo


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file.

    Attributes:
        body: its bytes.
        kind: its media type.
        name: its name.
        next: the address of those that follow; empty for none.
        words: what has left, for the record: the address, how many, up to which marking.
    """

    body: bytes
    kind: str
    name: str
    next: str
    words: str


def file_as(form: Form, page: Page, content: Content, asked: Asked, base: str, *, is_secret: bool) -> File:
    """What a page says in another form, inside the snapshot that it was made from.

    Args:
        form: which.
        page: the page of the list.
        content: what it says.
        asked: the request.
        base: the address of the console, without a slash at its end.
        is_secret: whether the address is known to one person alone: then it does not stand in the file, which gets no second page.
    """
    found = tuple(form.items(content))
    held = under_embargo(asked.db, asked.now, (item.bulletin for item in found))
    items = tuple(item for item in found if item.bulletin not in held)
    notes = form.notes(content)
    if len(items) < len(found):
        left_out = len(found) - len(items)
        verb = "is" if left_out == 1 else "are"
        notes += (f"{left_out} {verb} under embargo, and not in it until that is over.",)
    own = asked.address()
    listing = Listing(
        name=form.name, title=form.list, hub=asked.name_of(asked.hub), domain=asked.registry.domain,
        marking=content.marking, is_exercise=content.is_exercise, now=asked.now, base=base, page=asked.elsewhere(page.path),
        own="" if is_secret else own, next="" if is_secret else form.next(content), notes=notes, columns=form.columns,
        items=items,
    )  # fmt: skip
    return File(
        body=form.write(listing),
        kind=form.kind,
        name=_named(listing, form.ending),
        next=listing.next and base + listing.next,
        words=f"{own}: {len(items)}, up to {content.marking}",
    )


def link_of(form: Form, page: Page) -> str:
    """The path of a list in another form."""
    return f"{page.twin.removesuffix('.json')}.{form.ending}"


def under_embargo(db: sqlite3.Connection, now: dt.datetime, ids: Iterable[str]) -> frozenset[str]:
    """Of these bulletins, those that may not be handed on yet (ADR-063)."""
    sql = (
        "SELECT * FROM admitted WHERE row IN (SELECT row FROM links WHERE id IN (SELECT value FROM json_each(?))) "
        "AND instr(payload, CAST('\"embargo_until\"' AS BLOB))"
    )
    kept = whole(db.execute(sql, (as_json(sorted(set(ids) - {""})),)))
    return frozenset(each.id for each in kept if embargo(each.bulletin, now) is not None)


def _named(listing: Listing, ending: str) -> str:
    """The name of a file: what it is, its marking, its day."""
    drill = "-EXERCISE" if listing.is_exercise else ""
    marking = listing.marking.upper().replace("+", "-")
    return f"{listing.name}{drill}-TLP-{marking}-{listing.now.astimezone(dt.UTC):%Y-%m-%d}.{ending}"

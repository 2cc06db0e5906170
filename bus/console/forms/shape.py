"""What a list is in its other forms: items, what stands around them, and the form that writes them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

Cell = str | int | float | bool | dt.datetime | tuple[str, ...] | None


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing of a list: a thousand are made for one file, and none refers to another, so no collection need look at them.

    Attributes:
        key: names it within its list, and stays the same as long as it is the same thing.
        id: its UUID, where it has one; empty for one that follows from the key.
        bulletin: the bulletin whose embargo holds it back; empty for none.
        tlp: its marking.
        at: when it last changed.
        title: one line.
        words: more about it.
        by: who says it; empty for the hub.
        path: where the console says more.
        tags: words by which it is sorted.
        start: in a calendar, when it begins.
        end: in a calendar, when it ends; None for a moment.
        cells: in a table, its values, in the order of the columns.
    """

    key: str
    id: str = ""
    bulletin: str = ""
    tlp: str
    at: dt.datetime
    title: str
    words: str = ""
    by: str = ""
    path: str
    tags: tuple[str, ...] = ()
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    cells: tuple[Cell, ...] = ()


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A list, ready to be written.

    Attributes:
        name: of the list, in small letters, as `bulletins`.
        title: as a person calls it.
        hub: the name of the hub.
        domain: of the registry; with a key it makes an id that nobody else gives.
        marking: the narrowest of its items.
        is_exercise: whether all of it is part of an exercise.
        now: the present, aware.
        base: the address of the console, without a slash at its end.
        page: the path of its page, with the query.
        own: the path of this form; empty where the address is secret.
        next: the path of those that follow; empty for none.
        notes: sentences on what is not in it.
        columns: the heads of a table.
        items: what is in it.
    """

    name: str
    title: str
    hub: str
    domain: str
    marking: str
    is_exercise: bool
    now: dt.datetime
    base: str
    page: str
    own: str
    next: str
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    items: tuple[Item, ...]

    def uuid_of(self, item: Item) -> str:
        """The id of an item: its own, or one that its key gives in this registry's domain (RFC 9562, version 5)."""
        return item.id or self.uuid(item.key)

    def uuid(self, key: str) -> str:
        """The id of a name in this list."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tocsin://{self.domain}/{self.name}/{key}"))


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One other form of a list.

    Attributes:
        ending: of its path and its file: `csv`, `atom` or `ics`.
        kind: its media type.
        title: as a link calls it.
        name: of the list, for the name of the file.
        list: of the list, as a page calls it.
        items: the items of the struct of its page.
        write: their bytes.
        columns: the heads of a table.
        always: parameters that it sets, whatever the address says: a feed is always the newest first.
        most: so many items at most, where the page takes that; 0 for as many as the page has.
        next: the path of those that follow; empty for none.
        notes: sentences on what is not in it.
        incidents: whether it is made from the incidents that are kept: `needed`, or `besides` where it is whole without them, too.
    """

    ending: str
    kind: str
    title: str
    name: str
    list: str
    items: Callable[[Any], Iterable[Item]]
    write: Callable[[Listing], bytes]
    columns: tuple[str, ...] = ()
    always: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    most: int = 0
    next: Callable[[Any], str] = lambda _: ""
    notes: Callable[[Any], tuple[str, ...]] = lambda _: ()
    incidents: Literal["", "besides", "needed"] = ""

    @property
    def type(self) -> str:
        """Its media type without parameters, as links name it."""
        return self.kind.partition(";")[0]

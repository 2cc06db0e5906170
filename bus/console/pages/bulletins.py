"""Bulletins: those that are asked for, with what else could be asked, in a list that grows at its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import msgspec

from bus.console import rows, texts
from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages.elections import title_of
from bus.console.pages.grouping import Group, Grouping
from bus.console.pages.incidents import joined_of
from bus.console.pages.views import HasViews, views_of
from bus.console.people import Looked
from bus.errors import FilterError
from bus.filters import Selection, of_options, of_text
from bus.hub.picture import events, figures
from bus.languages import marked
from bus.policy import narrowest
from schemas.vocab import Dimension, Tlp

PATH = "/b"
MOST = 50
SEVERAL = "MULTI"
"""What stands for the area of a bulletin about more than one country."""
MOST_VALUES, HOUR_S = 8, 3600
"""So many values of one field are offered; those that are chosen are always there."""
FIELDS = ("priority", "dimension", "area", "election", "kind", "issuer", "tlp")
TITLES = {
    "priority": marked("Priority"),
    "dimension": marked("Dimension"),
    "area": marked("Country"),
    "election": marked("Election"),
    "kind": marked("Kind"),
    "issuer": marked("Authority"),
    "tlp": marked("Marking, up to"),
}
FIXED: dict[str, tuple[str, ...]] = {
    "priority": ("p1", "p2", "p3", "p4"),
    "dimension": tuple(map(str, Dimension)),
    "tlp": tuple(map(str, Tlp)),
}


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A value that can be asked for; `address` asks for it, or no longer where it is chosen."""

    value: str
    name: str
    count: int
    is_chosen: bool
    address: str


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """A field with its values; `more` is how many others there are."""

    field: str
    title: str
    values: tuple[Value, ...]
    more: int


class Bulletins(HasViews, frozen=True, kw_only=True):
    """The page. `joined_at` is when the incidents were made by which it is grouped; None while none have been."""

    total: int
    found: int
    query: str
    filter: str
    problem: str
    order: str
    is_grouped: bool
    ended: bool
    facets: tuple[Facet, ...]
    bars: tuple[tuple[int, int], ...]
    groups: tuple[Group, ...]
    shown: int
    next: str
    without: str
    by_time: str
    by_incident: str
    with_ended: str
    joined_at: dt.datetime | None


def look(asked: Asked) -> Bulletins:
    """The list that an address asks for."""
    query, problem = asked.first("q"), ""
    try:
        selection = _selection(asked, query)
    except FilterError as exc:
        selection, problem = Selection(), str(exc)
    order = rows.TIME if asked.first("order") == "time" else rows.GRAVE
    ended = asked.first("ended") == "1"
    upto = next((level for level in asked.given.get("tlp", ()) if level in FIXED["tlp"]), None)
    narrowed = msgspec.structs.replace(asked, upto=Tlp(upto) if upto is not None else None)
    after = rows.spot_of(asked.first("after"))
    found, spot = rows.listed(
        narrowed, selection, most=asked.most or MOST, order=order, after=after, ended=ended
    )
    totals = figures.totals(asked.db, asked.clearance, asked.now)
    found_facets, bars = _figures(asked, selection, narrowed.upto, totals)
    facets = {each.field: each for each in found_facets}
    number = sum(bar.n for bar in bars)
    is_grouped = asked.first("order") != "time"
    grouping, joined = Grouping(narrowed, found), joined_of(asked)
    return Bulletins(
        views=views_of(asked.given),
        marking=str(narrowest((*(row.tlp for row in found), *grouping.markings)) or Tlp.CLEAR),
        total=totals.n,
        found=number,
        query=query,
        filter=str(selection),
        problem=problem,
        order=order,
        is_grouped=is_grouped,
        ended=ended,
        facets=tuple(_facets(asked, facets)),
        bars=tuple(
            (grave := sum(bar.by_priority.get(each, 0) for each in ("p1", "p2")), bar.n - grave)
            for bar in bars
        ),
        groups=tuple(grouping.groups())
        if is_grouped
        else (Group(incident=None, title="", rows=grouping.rows),),
        shown=len(found),
        next="" if spot is None else asked.address(after=rows.spelled(spot)),
        without=asked.address(PATH),
        by_time=asked.address(order="time", after=None),
        by_incident=asked.address(order=None, after=None),
        with_ended=asked.address(ended=None if ended else "1", after=None),
        joined_at=joined.at if joined is not None else None,
    )


def _figures(
    asked: Asked, selection: Selection, upto: Tlp | None, totals: figures.Totals
) -> tuple[tuple[figures.Facet, ...], tuple[figures.Bar, ...]]:
    """Facets and histogram, worked out once for all who may read the same and ask for the same, until anything comes, ends or expires."""

    def work() -> tuple[tuple[figures.Facet, ...], tuple[figures.Bar, ...]]:
        return figures.facets_and_histogram(
            asked.db, asked.clearance, asked.now, selection=selection, upto=upto
        )

    if selection.since_s is not None:  # each moment asks for others
        return work()
    hour = int(asked.now.timestamp()) // HOUR_S
    stamp = (events.newest(asked.db), totals, hour)
    return asked.shelf.memo.once((asked.clearance, "figures", selection, upto), stamp, work)


def searched(content: Content) -> Looked | None:
    """That somebody has searched, and for what."""
    words = content.query if isinstance(content, Bulletins) else ""
    return Looked(how="searched", words=words) if words else None


def _selection(asked: Asked, query: str) -> Selection:
    """What is asked for: what is written in the field of search, and what is chosen beside the list.

    Raises:
        FilterError: it cannot be read.
    """
    chosen = {name: asked.given[name] for name in FIELDS if name != "tlp" and asked.given.get(name)}
    return of_options(chosen).joined(of_text(query))


def _facets(asked: Asked, counts: dict[str, figures.Facet]) -> Iterator[Facet]:
    for field in FIELDS:
        found, chosen = counts.get(field), asked.given.get(field, ())
        mine = {value.value: value.n for value in found.values} if found is not None else {}
        listed = [value for value in FIXED.get(field, tuple(mine)) if mine.get(value) or value in chosen]
        kept = _first(listed, chosen)
        values = tuple(
            Value(
                value=value,
                name=_name(asked, field, value),
                count=mine.get(value, 0),
                is_chosen=value in chosen,
                address=_toggled(asked, field, value),
            )
            for value in kept
        )
        more = len(listed) - len(kept) + (found.more if found is not None else 0)
        if values:
            yield Facet(field=field, title=asked.say.plain(TITLES[field]), values=values, more=max(0, more))


def _first(listed: list[str], chosen: Iterable[str]) -> list[str]:
    kept = listed[:MOST_VALUES]
    return [*kept, *(value for value in chosen if value not in kept)]


def _name(asked: Asked, field: str, value: str) -> str:
    if field == "priority":
        return asked.say("Priority %(priority)s", priority=value.removeprefix("p"))
    if field == "area" and value == SEVERAL:
        return asked.say("Several countries")
    if field == "election":
        return next((title_of(asked, each) for each in asked.calendars if each.election == value), value)
    if field == "area":
        name = asked.country_name(value)
        return f"{value} {name}" if name != value else value
    if field == "issuer":
        return asked.name_of(value)
    if field == "tlp":
        return value.upper()
    words = asked.words.word(field, value) if field in ("kind", "dimension") else value
    return texts.capital(words) if field in ("kind", "dimension") else words


def _toggled(asked: Asked, field: str, value: str) -> str:
    chosen = asked.given.get(field, ())
    if value in chosen:
        left = tuple(each for each in chosen if each != value)
    else:
        left = (value,) if field == "tlp" else (*chosen, value)
    return asked.changed({field: left or None, "after": None})

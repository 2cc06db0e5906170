"""Picture: what is now, whom it is about, what needs a person, and why the page can be trusted."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator, Sequence

import msgspec

from bus import desk
from bus.console import places, rows
from bus.console.asked import Asked, whole_of
from bus.console.doing import Doing
from bus.console.errors import BadRequestError
from bus.console.page import Content
from bus.console.pages import channels, clocks, snoozing
from bus.console.pages.elections import CASTING
from bus.console.pages.needs import Need, needs
from bus.console.pages.ribbon import Ribbon, band, ribbon
from bus.console.pages.since import Since, since_looked
from bus.console.pages.snoozing import Snoozed
from bus.console.pages.trust import trusted
from bus.console.rows import Row
from bus.console.step import Step
from bus.desk import Act
from bus.filters import Selection
from bus.hub.picture import events, figures
from bus.hub.watch import ChannelRow
from bus.languages import marked
from bus.policy import narrowest
from schemas.elections import phase_at
from schemas.vocab import Dimension, Tlp

STAND_OUT, CLOCKS = 5, 4
MOST_OF_DAY = 300
HOURS = 24
LANES = {
    Dimension.DISINFORMATION: marked("Disinformation"),
    Dimension.FOREIGN_INTERFERENCE: marked("Foreign interference"),
    Dimension.AI_MISUSE: marked("Misuse of AI"),
    Dimension.CYBERCRIME: marked("Cybercrime"),
    Dimension.DATA_PROTECTION: marked("Data protection"),
    Dimension.ELECTORAL_PROCESS: marked("Electoral process"),
    Dimension.HYBRID: marked("Hybrid"),
    Dimension.CORRUPTION: marked("Corruption"),
    Dimension.PHYSICAL: marked("Physical"),
}
ALWAYS = 6
"""So many lanes are drawn even while nothing stands in them."""


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A country in the map; `gravest` is 0 where nothing is in force."""

    code: str
    name: str
    column: int
    row: int
    count: int
    gravest: int
    phase: str
    coarse: str
    channels: str
    is_home: bool


class Picture(Content, frozen=True, kw_only=True):
    """The page; `needs_in_all` counts those beyond the ones that are told, too; `titles` are of what is put aside, by its name at the desk."""

    at: dt.datetime
    in_force: int
    countries: int
    voting: int
    by_priority: dict[str, int]
    ribbon: Ribbon | None
    needs: tuple[Need, ...]
    needs_in_all: int
    titles: dict[str, str]
    snoozed: tuple[Snoozed, ...] = ()
    since: Since
    tiles: tuple[Tile, ...]
    top: tuple[Row, ...]
    day: tuple[Row, ...]
    more_of_day: bool
    lanes: tuple[tuple[str, str], ...]
    band: tuple[dt.datetime, dt.datetime] | None
    tally: dict[str, int]
    alarms: tuple[channels.Alarm, ...]
    clocks: tuple[clocks.Due, ...]
    trust: tuple[Step, ...]
    scope: str
    is_blind: bool
    has_heard: bool


def look(asked: Asked) -> Picture:
    """The page, for what its reader may read."""
    scope = asked.first("scope") if asked.first("scope") in ("home", "cyber") else ""
    selection = _scoped(asked, scope)
    heard = channels.channel_rows(asked)
    alarms = channels.standing_alarms(asked)
    top = clocks.with_duties(asked, rows.outstanding(asked, STAND_OUT, selection))
    lately = selection.joined(Selection(since_s=HOURS * 3600))
    found, spot = rows.listed(asked, lately, most=MOST_OF_DAY, order=rows.TIME, ended=True)
    day = tuple(row for row in found if row.kind != rows.TALK)
    counts = values_of(asked, selection)
    in_force = sum(counts.get("priority", {}).values())
    running = clocks.running(asked, CLOCKS)[:CLOCKS]
    pressing, waiting = needs(asked, alarms)
    titles, marks = snoozing.titles_of(asked)
    since = since_looked(asked)
    # A scope narrows neither what needs somebody nor what is new.
    beside_scope = (
        *(need.tlp for need in pressing if need.sort == "bulletin"),
        *(group.row.tlp for group in since.groups),
        *marks,
    )
    (has_heard,) = asked.db.execute("SELECT EXISTS (SELECT 1 FROM admitted)").fetchone()
    return Picture(
        marking=str(
            narrowest(
                (
                    *counts.get("tlp", ()),
                    *(row.tlp for row in found),
                    *(due.tlp for due in running),
                    *beside_scope,
                )
            )
            or Tlp.CLEAR
        ),
        at=asked.now,
        in_force=in_force,
        countries=len([code for code in counts.get("area", ()) if code not in ("MULTI", "INTL", "EU")]),
        voting=sum(phase_at(each.body, asked.now) in CASTING for each in asked.calendars),
        by_priority=dict(sorted(counts.get("priority", {}).items())),
        ribbon=ribbon(asked),
        needs=pressing,
        needs_in_all=waiting,
        titles=titles,
        since=since,
        tiles=tuple(tiles(asked, heard)),
        top=top,
        day=day,
        more_of_day=spot is not None,
        lanes=_lanes(asked, day),
        band=band(asked, HOURS),
        tally=channels.tally(heard),
        alarms=alarms,
        clocks=running,
        trust=tuple(trusted(asked)),
        scope=scope,
        is_blind=asked.is_blind,
        has_heard=bool(has_heard),
    )


def beside(content: Content) -> Callable[[sqlite3.Connection, Act], Content] | None:
    """The question to the desk: the same page, without what is put aside, and with what is back."""
    if not isinstance(content, Picture):
        return None
    page = content

    def question(db: sqlite3.Connection, act: Act) -> Content:
        left, aside, back = snoozing.told(db, act, page.needs, page.titles, page.since.at)
        since = msgspec.structs.replace(page.since, returned=back)
        return msgspec.structs.replace(page, needs=left, snoozed=aside, since=since)

    return question


async def mark_seen(doing: Doing) -> str:
    """Note that somebody has looked at all up to an event.

    Raises:
        BadRequestError: that is no event.
        DeedError: as the desk.
    """
    number = whole_of(doing.field("n"))
    if number is None:
        raise BadRequestError("an event has a number")
    last = await doing.reading.ask(events.newest)

    def work(db: sqlite3.Connection, act: Act) -> None:
        desk.own.begin_anew(db, last)
        desk.own.mark_seen(db, act, min(number, last))

    await doing.at_desk(work)
    return "/"


def values_of(asked: Asked, selection: Selection) -> dict[str, dict[str, int]]:
    """Of what is asked for and in force, how many have which value, by field."""
    found = figures.facets(asked.db, asked.clearance, asked.now, selection=selection)
    return {facet.field: {value.value: value.n for value in facet.values} for facet in found}


def _scoped(asked: Asked, scope: str) -> Selection:
    if scope == "home":
        return Selection(area=(asked.country,))
    return Selection(domain=("cyber",)) if scope == "cyber" else rows.EVERYTHING


def tiles(asked: Asked, heard: Sequence[ChannelRow]) -> Iterator[Tile]:
    """The map: every country of the network, with how many bulletins in force are about it, and the gravest of them."""
    values = figures.tiles(asked.db, asked.clearance, asked.now)
    counts = {code: (each.n, int(min(each.by_priority).removeprefix("p"))) for code, each in values.items()}
    members = {record.country for record in asked.registry.document.authorities.values()}
    shown = {*members, *(code for code in counts if code != "MULTI"), "EU", "INTL"}
    states = channels.by_country(asked, heard)
    for code, (column, row) in places.tiles(shown).items():
        count, gravest = counts.get(code, (0, 0))
        phase = asked.phases.get(code)
        yield Tile(
            code=code,
            name=asked.country_name(code),
            column=column,
            row=row,
            count=count,
            gravest=gravest,
            phase=phase.phase if phase else "none",
            coarse=phase.coarse if phase else "none",
            channels=states.get(code, "live" if code in ("EU", "INTL") else "unheard")
            if code in members
            else "",
            is_home=code == asked.country,
        )


def _lanes(asked: Asked, day: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    seen = {dimension for row in day for dimension in row.dimensions}
    return tuple(
        (str(key), asked.say.plain(name))
        for n, (key, name) in enumerate(LANES.items())
        if n < ALWAYS or key in seen
    )

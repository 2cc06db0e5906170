"""Wall: the picture at four metres. Nothing above its own marking is in any figure; it says how many there are."""

from __future__ import annotations

import msgspec

from bus.console import rows
from bus.console.asked import Asked
from bus.console.clearance import Clearance
from bus.console.page import Content
from bus.console.pages import channels, picture
from bus.console.people import Session
from bus.console.rows import Row
from schemas.vocab import TLP_RANK, Tlp

STAND_OUT = 5


class Wall(Content, frozen=True, kw_only=True):
    """The page; `above` counts what its reader may read and the wall does not show, `above_grave` those of priority 1 and 2."""

    ribbon: picture.Ribbon | None
    phase: str
    top: tuple[Row, ...]
    above: int
    above_grave: int
    tiles: tuple[picture.Tile, ...]
    in_force: int
    lately: int
    waits: int
    tally: dict[str, int]
    heard: int
    unwell: tuple[channels.Alarm, ...]
    registry: int
    trust: str
    is_blind: bool


def look(asked: Asked) -> Wall:
    """The page, at the marking that its address names and its reader may read; else at GREEN."""
    wanted = asked.first("tlp", "green")
    reach = asked.clearance
    ceiling = (
        Tlp(wanted)
        if wanted in set(map(str, Tlp)) and reach.reaches(wanted)
        else min(Tlp.GREEN, reach.ceiling, key=TLP_RANK.__getitem__)
    )
    clearance = Clearance(ceiling=ceiling, audiences=reach.audiences)
    viewer = msgspec.structs.replace(asked.viewer, clearance=clearance)
    session: Session = msgspec.structs.replace(asked.session, viewer=viewer)
    wall = msgspec.structs.replace(asked, session=session)
    heard = channels.channel_rows(wall)
    alarms = channels.standing_alarms(wall)
    top, _ = rows.listed(wall, most=STAND_OUT)
    shown, every = rows.tally(wall), rows.tally(asked)
    grave = {"p1", "p2"}
    counts = channels.tally(heard)
    since = asked.now.timestamp() - 1800
    where, arguments = rows.conditions(wall)
    (lately,) = asked.db.execute(
        f"SELECT count(*) FROM actual s WHERE {where.format(table='actual')} AND s.issued > ?",
        [*arguments, since],
    ).fetchone()
    return Wall(
        marking=str(ceiling),
        ribbon=picture.ribbon(wall),
        phase=str(picture.phase_at_home(wall)),
        top=top,
        above=every.total() - shown.total(),
        above_grave=_grave(every, grave) - _grave(shown, grave),
        tiles=tuple(picture.tiles(wall, heard)),
        in_force=shown.total(),
        lately=int(lately),
        waits=sum(need.action == "Open" for need in picture.needs(wall, ())),
        tally=counts,
        heard=sum(counts.values()),
        unwell=alarms[:4],
        registry=asked.registry.version,
        trust=str(asked.registry.state(asked.now)),
        is_blind=asked.is_blind,
    )


def _grave(counts: rows.Counts, grave: set[str]) -> int:
    return sum(n for sort, n in counts.items() if sort.priority in grave)

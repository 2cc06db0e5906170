"""Wall: the picture at four metres. Nothing above its own marking is in any figure; it says how many there are."""

from __future__ import annotations

import msgspec

from bus.console import rows
from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages import channels, picture
from bus.console.pages.needs import needs
from bus.console.pages.ribbon import Ribbon, phase_at_home, ribbon
from bus.console.rows import Row
from bus.filters import Selection
from bus.hub.picture import figures, lists
from schemas.vocab import TLP_RANK, Tlp

STAND_OUT = 5
LATELY_S = 1800
MOST_LATELY = 500
"""So many of the last half hour are counted."""


class Wall(Content, frozen=True, kw_only=True):
    """The page; `above` counts what its reader may read and the wall does not show, `above_grave` those of priority 1 and 2."""

    ribbon: Ribbon | None
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
    """The page, at the marking that its address names and its reader may read; else at that of the screen, or at GREEN."""
    reach = asked.clearance
    wanted = asked.first("tlp") or (str(reach.ceiling) if asked.viewer.is_wall else "green")
    is_known = wanted in set(map(str, Tlp)) and reach.reaches(wanted)
    ceiling = Tlp(wanted) if is_known else min(Tlp.GREEN, reach.ceiling, key=TLP_RANK.__getitem__)
    wall = msgspec.structs.replace(asked, upto=ceiling)
    heard = channels.channel_rows(wall)
    alarms = channels.standing_alarms(wall)
    top = rows.outstanding(wall, STAND_OUT)
    shown, every = (figures.totals(each.db, each.clearance, each.now) for each in (wall, asked))
    counts = channels.tally(heard)
    lately, _ = rows.listed(wall, Selection(since_s=LATELY_S), most=MOST_LATELY, order=rows.TIME)
    return Wall(
        marking=str(ceiling),
        ribbon=ribbon(wall),
        phase=str(phase_at_home(wall)),
        top=top,
        above=every.n
        - shown.n
        + (lists.above_ceiling(asked.db, reach, asked.now) if asked.viewer.is_wall else 0),
        above_grave=_grave(every) - _grave(shown),
        tiles=tuple(picture.tiles(wall, heard)),
        in_force=shown.n,
        lately=len(lately),
        waits=len(needs(wall, ())),
        tally=counts,
        heard=sum(counts.values()),
        unwell=alarms[:4],
        registry=asked.registry.version,
        trust=str(asked.registry.state(asked.now)),
        is_blind=asked.is_blind,
    )


def _grave(counts: figures.Totals) -> int:
    return sum(counts.by_priority.get(priority, 0) for priority in ("p1", "p2"))

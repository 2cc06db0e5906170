"""Notes of people here: on a bulletin, and that somebody was called about an alarm."""

from __future__ import annotations

from bus import desk
from bus.console.asked import Asked
from bus.console.doing import Doing
from bus.console.pages.bulletin_desk import about_named, page_of
from bus.console.pages.snoozing import alarm_about
from bus.desk import About


async def note(doing: Doing) -> str:
    """Write a note on a bulletin.

    Raises:
        NotHereError: it is not here, or its sender may not read it.
        DeedError: as the desk.
    """
    about = await doing.look(about_named)
    await _write(doing, about)
    return f"{page_of(about)}#notes"


async def call(doing: Doing) -> str:
    """Note that somebody was called about an alarm, and what was said.

    Raises:
        NotHereError: no such alarm stands, or its sender may not know of it.
        DeedError: as the desk.
    """

    def look(asked: Asked) -> About:
        return alarm_about(asked, doing.field("alarm"))

    await _write(doing, await doing.look(look))
    return "/channels"


async def _write(doing: Doing, about: About) -> None:
    text = doing.field("text")
    await doing.at_desk(lambda db, act: desk.words.add_note(db, act, about, text))

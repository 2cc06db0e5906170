"""A bulletin as plain text, to be copied into a message or a paper: the sheet of the terminal, and how to check it."""

from __future__ import annotations

from bus import sheets
from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages import bulletin
from bus.console.people import Looked
from bus.console.texts import shown
from schemas.vocab import Tlp

WIDTH = 78
"""Cells of a line: it stays whole in a mail."""


class AsText(Content, frozen=True, kw_only=True):
    """The page; `lines` begin with what may be done with them."""

    id: str
    headline: str
    tlp: str
    audience: str
    lines: tuple[str, ...]


def look(asked: Asked) -> AsText:
    """The text of a bulletin, as its page has it.

    Raises:
        NotHereError: as the page.
    """
    page = bulletin.look(asked)
    check = asked.say(
        "Signature checked by %(hub)s at %(time)s UTC. Digest: %(digest)s",
        hub=asked.name_of(asked.hub),
        time=f"{page.admitted:%Y-%m-%d %H:%M:%S}",
        digest=page.digest,
    )
    told = sheets.lines_of(page.sheet, WIDTH, lambda words: shown(str(words)))
    return AsText(
        marking=page.marking,
        note=page.note,
        is_exercise=page.is_exercise,
        id=page.row.id,
        headline=page.sheet.headline,
        tlp=page.row.tlp,
        audience=page.row.audience,
        lines=(*told, "", check),
    )


def viewed(content: Content) -> Looked | None:
    """That somebody has looked at it."""
    if not isinstance(content, AsText):
        return None
    return Looked(how="viewed", id=content.id, tlp=Tlp(content.tlp), audience=content.audience)

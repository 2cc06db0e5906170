"""A bulletin as text: its marking comes first, how it was checked last; a look at it is on record."""

from __future__ import annotations

from pathlib import Path

from bus import desk
from schemas.vocab import Tlp
from tests.support.consoles import AUDIENCES, Speaker, fill, sign_in_as, with_desk
from tests.support.desks import add
from tests.support.world import NOW


async def test_the_text_of_a_bulletin_has_its_marking_and_how_it_was_checked(tmp_path: Path) -> None:
    """In the page and in its twin alike; what is not seen stands as its number."""
    path = tmp_path / "store.db"
    said = Speaker("xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts").say("Slow \u2066portal\u2069", 300)
    await fill(path, [said])
    async with with_desk(path, tmp_path) as (c, held):
        await add(held, "eva", desk.Role.READER, at=NOW.timestamp(), ceiling=Tlp.RED, audiences=AUDIENCES)
        await sign_in_as(c, "eva")
        lines = (await c.get(f"/b/{said.bulletin.id}/text.json")).json()["lines"]
        assert lines[0].startswith("TLP:AMBER+STRICT")
        assert "Slow [U+2066]portal[U+2069]" in lines
        assert lines[-1].startswith("Signature checked by XA Hub at 2027-05-23")
        page = (await c.get(f"/b/{said.bulletin.id}/text")).text
        assert all(line in page for line in lines)
        looks = await held.read(lambda db: [row["what"] for row in db.execute("SELECT what FROM trail")])
        assert looks.count("viewed") == 1  # the second look within a while is the same

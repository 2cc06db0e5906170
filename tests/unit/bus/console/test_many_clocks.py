"""Of many clocks the page lists the nearest and says where more are listed; what one author asks for hides nothing of another."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

from bus.console import Reading
from bus.console.interrupts import MOST_UNREAD, unread
from bus.console.pages.clocks import LISTED, MOST
from bus.console.pages.needs import MOST_NEEDS
from bus.hub.clocks import ACKNOWLEDGEMENT
from schemas.parts import Action, Area
from schemas.vocab import Certainty, Severity, Urgency
from tests.support import consoles
from tests.support.consoles import HUB, Speaker, signed_in
from tests.support.world import NOW

HOME = (Area(scope="national", country="XA"),)
GRAVE = {"severity": Severity.SEVERE, "urgency": Urgency.IMMEDIATE, "certainty": Certainty.OBSERVED}


def listed(twin: Any) -> dict[str, int]:
    """How many clocks stand in each group."""
    return {group["key"]: len(group["clocks"]) for group in twin["groups"]}


def test_a_page_of_clocks_is_short_and_says_so(tmp_path: Path) -> None:
    """The last ones that became late, and the first ones that will."""
    emb, many = Speaker("xa-emb"), LISTED + 10
    for n in range(many):
        actions = tuple(
            Action(kind="monitor", text=f"Look at {n}.", to=("xa-csirt",), due=consoles.at(sign * (60 + n)))
            for sign in (1, -1)
        )
        emb.say(f"A flood, part {n}", 7_200 - n, actions=actions)
    path = tmp_path / "store.db"
    asyncio.run(consoles.fill(path, emb.made))

    async def go() -> None:
        async with signed_in(path) as c:
            twin = (await c.get("/clocks.json")).json()
            assert listed(twin) == {"late": LISTED, "soon": LISTED}
            assert (twin["most"], twin["longer"]) == (LISTED, MOST)
            late, soon = (sorted(each["due"] for each in group["clocks"]) for group in twin["groups"])
            whole = (await c.get("/clocks.json?all=1")).json()
            assert listed(whole) == {"late": many, "soon": many}
            every = [sorted(each["due"] for each in group["clocks"]) for group in whole["groups"]]
            assert late == every[0][-LISTED:]
            assert soon == every[1][:LISTED]
            assert (await c.get("/wall.json")).json()["late"] == many
            picture = (await c.get("/")).text
            (running,) = [each for each in picture.split("<section") if 'aria-labelledby="clk"' in each]
            assert running.count("A flood, part ") == 4
            page = (await c.get("/clocks")).text
            assert f'<a href="/clocks?all=1">List up to {MOST} of each</a>' in page
            assert "List up to" not in (await c.get("/clocks?all=1")).text
            lines = list(csv.reader(io.StringIO((await c.get("/clocks.csv")).content.decode("utf-8-sig"))))
            assert len(lines) == 1 + 2 * many

    asyncio.run(go())


def test_a_flood_of_duties_of_one_author_hides_no_duty_of_another(tmp_path: Path) -> None:
    """Four hundred that end first: what another asks for needs this hub all the same, and is handed over."""
    flood, other = Speaker("xa-emb"), Speaker("xb-csirt")
    for n in range(14):
        acts = tuple(
            Action(kind="patch", text=f"Do {each}.", to=(HUB,), due=consoles.at(-60 - each))
            for each in range(30)
        )
        flood.say(f"A flood, part {n}", 7_200 - n, actions=acts)
    other.say(
        "One duty", 600, actions=(Action(kind="monitor", text="Look.", to=(HUB,), due=consoles.at(-90_000)),)
    )
    path = tmp_path / "store.db"
    asyncio.run(consoles.fill(path, [*flood.made, *other.made]))

    async def go() -> None:
        async with signed_in(path) as c:
            needs = (await c.get("/picture.json")).json()["needs"]
            assert [each["title"] for each in needs].count("One duty") == 1
            assert len(needs) == MOST_NEEDS
            handed = (await c.get("/handover.json")).json()
            assert "One duty" in {each["about"] for each in handed["promised"]} | {
                each["title"] for each in handed["open"]
            }

    asyncio.run(go())


def test_a_flood_of_the_gravest_duties_hides_nothing_less_grave_of_others(tmp_path: Path) -> None:
    """Whatever one author says is gravest: what another asks for stands there too, and interrupts."""
    flood, other = Speaker("xa-emb", areas=HOME), Speaker("xb-csirt", areas=HOME)
    for n in range(MOST_UNREAD + 2):
        flood.say(f"A flood, part {n}", 3_600 - n, **{**GRAVE, "severity": Severity.EXTREME})
    asks = (Action(kind="monitor", text="Look.", to=(HUB,), due=consoles.at(-90_000)),)
    other.say("One duty", 4 * 3600.0, actions=asks)
    other.say("One to read", 4 * 3600.0, **GRAVE)
    path = tmp_path / "store.db"
    asyncio.run(consoles.fill(path, other.made, now=NOW - dt.timedelta(hours=3.5)))
    asyncio.run(consoles.fill(path, flood.made, now=NOW - dt.timedelta(minutes=50)))

    async def go() -> None:
        async with signed_in(path) as c:
            needs = (await c.get("/picture.json")).json()["needs"]
            assert {"One duty", "One to read"} < {each["title"] for each in needs}
            assert len(needs) == MOST_NEEDS
            assert [each["priority"] for each in needs] == sorted(each["priority"] for each in needs)
        async with Reading.open(path, consoles.shelf()) as reading:
            found = await reading.ask(lambda db: unread(db, consoles.shelf(), consoles.EVERYTHING, NOW))
        assert len(found) == MOST_UNREAD
        assert "One to read" in {each.headline for each in found}

    asyncio.run(go())


def test_a_list_says_what_is_to_be_acknowledged(tmp_path: Path) -> None:
    """Each row that has a clock of this hub's acknowledgement has its time, and no other row has one."""
    path = tmp_path / "store.db"
    asyncio.run(consoles.fill(path, consoles.night()))

    async def go() -> None:
        async with signed_in(path) as c:
            ours = (await c.get("/clocks.json?show=ours&all=1")).json()
            due = {
                each["id"]: each["due"]
                for group in ours["groups"]
                for each in group["clocks"]
                if each["rule"] == ACKNOWLEDGEMENT
            }
            twin = (await c.get("/b.json")).json()
            rows = [row for group in twin["groups"] for row in group["rows"]]
            assert due
            assert {row["id"]: row["acknowledge_by"] for row in rows if row["acknowledge_by"]} == due
            assert (await c.get("/b")).text.count("acknowledge by") == len(due)

    asyncio.run(go())

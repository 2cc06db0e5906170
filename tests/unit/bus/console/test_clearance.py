"""What somebody may not read is in no page, no twin, no figure and no event: every route, every ceiling, with all audiences or one."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from bus.console.pages import LISTS
from bus.desk import Role
from bus.policy import Clearance
from schemas.bulletin import Bulletin
from schemas.vocab import FeedbackKind, Tlp
from tests.support import consoles, desks
from tests.support.consoles import AUDIENCES, night, signed_in
from tests.support.world import NOW, Message
from tests.unit.bus.console.test_frame import PAGES

LEVELS = (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)
FEW = frozenset({"community", "eu-csirts"})
NIGHT = night()
ADMINISTRATORS = tuple(
    f"{path}{twin}" for path in ("/people", "/people/eva", "/people/mara", "/audit") for twin in ("", ".json")
)
"""Pages of administrators, with their twins."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read."""
    path = tmp_path_factory.mktemp("console") / "store.db"
    asyncio.run(consoles.fill(path, NIGHT))
    return path


def routes(ids: list[str]) -> list[str]:
    """Every route that shows something, with every id, its twin, and every list in its other forms."""
    queries = (
        "/b?q=portals",
        "/b?q=Flaw",
        "/b?tlp=amber%2Bstrict&ended=1",
        "/?scope=home",
        "/?scope=cyber",
        "/wall?tlp=red",
        "/wall?tlp=amber%2Bstrict",
    )
    pages = [*PAGES.values(), *queries]
    twins = [
        f"{'/picture' if path.partition('?')[0] == '/' else path.partition('?')[0]}.json?{path.partition('?')[2]}"
        for path in pages
    ]
    each = [
        f"/b/{id_}{end}"
        for id_ in ids
        for end in ("", ".json", "/signed", "/signed.json", "/text", "/text.json")
    ]
    lists = [f"{path}{query}" for path in LISTS for query in ("", "?ended=1&q=portals", "?show=met&tlp=red")]
    return [*pages, *twins, *each, *lists]


def secrets_of(b: Bulletin) -> set[str]:
    """Words that nobody knows who has not read it; what an answer is called stands in the form of every bulletin."""
    return {b.id, b.info[0].headline, b.info[0].summary} - set(FeedbackKind)


@pytest.mark.parametrize(("ceiling", "audiences"), list(itertools.product(LEVELS, ("all", "few"))))
def test_nothing_above_a_ceiling_is_anywhere(store: Path, ceiling: Tlp, audiences: str) -> None:
    """No route tells an id, a headline or a summary of what its reader may not read; what may be read is there."""
    clearance = Clearance(ceiling=ceiling, audiences=AUDIENCES if audiences == "all" else FEW)
    said = [message.bulletin for message in NIGHT if message.bulletin.status != "beat"]
    hidden = [b for b in said if not clearance.sees(b.tlp, b.audience)]
    open_ = [b for b in said if clearance.sees(b.tlp, b.audience)]
    known = {words for b in open_ for words in secrets_of(b)}
    unsaid = {words for b in hidden for words in secrets_of(b)} - known

    async def go() -> None:
        async with signed_in(store, clearance) as c:
            everything = ""
            for path in routes([b.id for b in said]):
                answer = await c.get(path)
                while answer.status_code == 429:
                    await consoles.sign_in(c, "Somebody Again")
                    answer = await c.get(path)
                own = path.split("/")[2].partition(".")[0] if path.startswith("/b/") else ""
                said_there = answer.text.replace("\r\n ", "").replace(
                    "\\,", ","
                )  # a calendar folds and escapes
                text = said_there.replace(own, "") if own else said_there
                assert not [words for words in unsaid if words in text], path
                everything += answer.text
            actual = [b for b in open_ if b.status == "actual" and b.msg_type == "alert"]
            assert all(b.id in everything for b in actual if b.id in {m.bulletin.id for m in _admitted()})

    asyncio.run(go())


def test_an_administrator_reads_nothing_of_any_bulletin(store: Path, tmp_path: Path) -> None:
    """No route and no twin tells an id, a headline or a summary, whatever ceiling was given and whatever others looked at."""
    said = [message.bulletin for message in NIGHT if message.bulletin.status != "beat"]
    unsaid = {words for b in said for words in secrets_of(b)}
    at = NOW.timestamp()

    async def go() -> None:
        async with consoles.with_desk(store, tmp_path) as (c, held):
            for id_, role in (("mara", Role.ADMINISTRATOR), ("eva", Role.READER)):
                await desks.add(held, id_, role, at=at, ceiling=Tlp.RED, audiences=AUDIENCES)
            await consoles.sign_in_as(c, "eva")
            for b in said:
                await c.get(f"/b/{b.id}/signed")
            await c.get("/b", params={"q": said[0].info[0].headline})
            assert said[0].info[0].headline in (await c.get("/b.json?order=time&ended=1")).text
            shown = 0
            await consoles.sign_in_as(c, "mara")
            for path in (*routes([b.id for b in said]), *ADMINISTRATORS):
                answer = await c.get(path)
                while answer.status_code == 429:
                    await consoles.sign_in_as(c, "mara")
                    answer = await c.get(path)
                shown += answer.status_code == 200
                own = path.split("/")[2].partition(".")[0] if path.startswith("/b/") else ""
                text = answer.text.replace(own, "") if own else answer.text
                assert not [words for words in unsaid if words in text], path
            assert shown == len(ADMINISTRATORS) + 2 * len(("/system", "/me", "/fresh", "/feeds", "/help"))

    asyncio.run(go())


def _admitted() -> list[Message]:
    """Those of the night that stand by the rules."""
    return [each for each in NIGHT if "\u202e" not in each.bulletin.info[0].headline]


def test_the_detector_sees_a_leak(store: Path) -> None:
    """A reader without a ceiling sees words that one with a ceiling must not: the comparison above is not empty."""
    low = Clearance(ceiling=Tlp.GREEN, audiences=AUDIENCES)
    hidden = [each.bulletin for each in NIGHT if not low.sees(each.bulletin.tlp, each.bulletin.audience)]
    assert hidden

    async def go() -> None:
        async with signed_in(store) as c:
            text = (await c.get("/b.json?ended=1")).text
            assert any(b.info[0].headline in text for b in hidden)

    asyncio.run(go())


def test_figures_count_what_their_reader_may_read(store: Path) -> None:
    """The total, the tiles and the facets of a reader are those of the bulletins that this reader may list."""

    async def go() -> None:
        for ceiling, audiences in itertools.product(LEVELS, (AUDIENCES, FEW)):
            async with signed_in(store, Clearance(ceiling=ceiling, audiences=audiences)) as c:
                listed = (await c.get("/b.json?order=time")).json()
                rows = [row for group in listed["groups"] for row in group["rows"]]
                picture = (await c.get("/picture.json")).json()
                assert listed["total"] == picture["in_force"] == len(rows)
                by_priority = {f"p{n}": sum(row["priority"] == n for row in rows) for n in range(1, 5)}
                assert picture["by_priority"] == {key: n for key, n in by_priority.items() if n}
                home = next(tile for tile in picture["tiles"] if tile["code"] == "XA")
                assert home["count"] == sum("XA" in row["areas"] for row in rows)
                wall = (await c.get("/wall.json")).json()
                assert wall["in_force"] + wall["above"] == len(rows)

    asyncio.run(go())


def test_a_wall_shows_nothing_above_its_marking(store: Path) -> None:
    """It is at GREEN unless another marking is asked for that its reader may read, and says how many are above."""

    async def go() -> None:
        async with signed_in(store) as c:
            assert (await c.get("/wall.json")).json()["marking"] == "green"
            wide = (await c.get("/wall.json?tlp=clear")).json()
            assert wide["marking"] == "clear"
            assert {row["tlp"] for row in wide["top"]} <= {"clear"}
            assert wide["above"] > 0
        async with signed_in(store, Clearance(ceiling=Tlp.GREEN, audiences=AUDIENCES)) as c:
            assert (await c.get("/wall.json?tlp=red")).json()["marking"] == "green"

    asyncio.run(go())

"""An alarm names an author that dates bulletins ahead of this clock, until their time has come."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from bus.hub.picture.projection import open_store
from bus.hub.watch.ahead import ahead_alarms
from tests.support.hubs import take_in
from tests.support.world import NOW, bulletin, shared_world, sign

HOUR = dt.timedelta(hours=1)


def alarms(path: Path, now: dt.datetime) -> list[tuple[str, str, str]]:
    """The alarms at a moment."""

    async def look() -> list[tuple[str, str, str]]:
        async with open_store(path, hold_s=0.0) as store:
            found = await store.read(lambda db: ahead_alarms(db, now))
        return [(each.channel, str(each.reason), each.detail) for each in found]

    return asyncio.run(look())


def told(path: Path, ahead: dt.timedelta, issuer: str = "xa-csirt") -> None:
    """A hub takes in a bulletin that is dated so far ahead of its clock."""
    made = bulletin(shared_world(), issuer, issued=NOW + ahead)
    asyncio.run(take_in(path, shared_world(), [sign(shared_world(), made)], NOW))


def test_an_author_two_hours_ahead_is_named(tmp_path: Path) -> None:
    """With the channel and how far."""
    told(tmp_path / "store.db", 2 * HOUR)
    ((channel, reason, detail),) = alarms(tmp_path / "store.db", NOW)
    assert (channel, reason) == ("xa-csirt/actual.green.community", "from-the-future")
    assert detail.startswith("xa-csirt dates its bulletins at least 2 hours ahead")


def test_each_channel_has_one_alarm(tmp_path: Path) -> None:
    """This holds for any number of waiting bulletins."""
    for issuer in ("xa-csirt", "xa-csirt", "xb-csirt"):
        told(tmp_path / "store.db", HOUR, issuer)
    assert [channel.split("/")[0] for channel, _, _ in alarms(tmp_path / "store.db", NOW)] == [
        "xa-csirt",
        "xb-csirt",
    ]


@pytest.mark.parametrize("later", [HOUR - dt.timedelta(minutes=5), 2 * HOUR])
def test_it_is_over_when_its_time_has_come(tmp_path: Path, later: dt.timedelta) -> None:
    """Admission takes it then."""
    told(tmp_path / "store.db", HOUR)
    assert alarms(tmp_path / "store.db", NOW + later) == []


def test_a_clock_within_the_skew_is_nobodys_fault(tmp_path: Path) -> None:
    """It is admitted."""
    told(tmp_path / "store.db", dt.timedelta(minutes=4))
    assert alarms(tmp_path / "store.db", NOW) == []

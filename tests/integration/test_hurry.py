"""A demonstration whose lifetimes are divided: what must be renewed is renewed while nobody does anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.demo import BEACON_LIFETIME, Demo
from bus.server.standing import STANDING_LOCK
from bus.trust import RegistryStore, TrustState
from tests.support.clocks import utc_now
from tests.support.waiting import eventually

HURRY = 1440


@pytest.mark.short_faults
async def test_a_demonstration_that_is_left_alone_stays_fresh(tmp_path: Path) -> None:
    """A beacon of fifteen seconds is renewed again and again; who begins now over its files trusts them, and nothing has ended.

    And it looks after its broker, which `server check` would call left alone otherwise.
    """
    async with Demo.open(tmp_path / "demo", port=-1, clock=utc_now, hurry=HURRY) as demo:
        sign = demo.folder.server / STANDING_LOCK
        begun = sign.stat().st_mtime
        for number in range(1, 4):
            await eventually(lambda number=number: demo.keeper.renewed >= number)  # type: ignore[misc]
            assert demo.trust is TrustState.FRESH
            anew = RegistryStore(
                demo.folder.registry,
                pin=None,
                domain=None,
                beacon=demo.folder.beacon,
                clock=utc_now,
            )()
            assert anew.beacon is not None
            assert anew.beacon.expires - anew.beacon.issued == BEACON_LIFETIME / HURRY
        assert [term.what for term in demo.keeper.terms() if term.level == "bad"] == []
        assert demo.keeper.problems == {}
        await eventually(lambda: sign.stat().st_mtime > begun)

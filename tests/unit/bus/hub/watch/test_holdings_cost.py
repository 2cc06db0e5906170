"""The cost of a look for contradictions that successors show."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bus.hub.picture.projection import open_store
from bus.hub.watch import holdings
from bus.subscribing.inbox import Inbox
from tests.support.held import hold

PLACE = "xa-csirt/actual.green.community"


async def steps(store: Inbox, many: int) -> int:
    """How many steps a look takes where so many stand at one place, and as many name others before them."""

    def look(db: sqlite3.Connection) -> int:
        hold(db, PLACE, 1, "held")
        for n in range(many):
            for reason, seq, digest, prev in (
                ("fork", 1, f"f{n}", None),
                ("broken-chain", 2, f"b{n}", f"other{n}"),
            ):
                db.execute(
                    "INSERT INTO quarantine (at, reason, detail, subject, headers, payload, digest, channel, seq, prev, kids, "
                    "variant, size) VALUES (0, ?, '', '', '[]', '', ?, ?, ?, ?, 'k', '', 1)",
                    (reason, digest, PLACE, seq, prev),
                )
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        db.set_progress_handler(step, 1)
        found = db.execute(holdings._UNLIKE_ITS_SUCCESSOR).fetchall()
        db.set_progress_handler(None, 0)
        assert len(found) == many
        return count

    return await store.write(look)


async def test_a_look_for_what_successors_show_costs_what_stands_in_quarantine_once(tmp_path: Path) -> None:
    """Who contradicts itself many times at one place, and many times after it, does not have each compared with each."""
    found = {}
    for many in (25, 200):
        async with open_store(tmp_path / f"{many}.db", hold_s=0) as store:
            found[many] = await steps(store, many)
    assert found[200] < 12 * found[25]

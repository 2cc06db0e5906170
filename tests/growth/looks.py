"""What is asked of a hub's store again and again, or by a command, each as a question to an open connection."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from itertools import islice

from bus.health import looking
from bus.hub import retention
from bus.hub.exchange import missing, receipt_queue
from bus.hub.picture import summary, tallies
from bus.hub.watch import alarms, channels, holdings, watch
from bus.subscribing import Stored, inbox
from bus.subscribing.intake import Intake
from bus.subscribing.reassessment import Reassessment
from schemas.subject import Channel
from schemas.vocab import Status, Tlp
from tests.support.world import World

Look = Callable[[sqlite3.Connection], object]
READER = "xb-hub"
LAST = 40


def looks(world: World) -> dict[str, Look]:
    """Every look, by name; each reads only."""
    now, registry = world.now, world.registry
    moment = now.timestamp()
    beats = Channel(issuer=READER, status=Status.BEAT, tlp=Tlp.GREEN, audience="community")
    reassessment = Reassessment(Intake(None, 30.0), registry, now)
    last = "SELECT row FROM admitted ORDER BY row DESC LIMIT 1"
    return {
        "picture": lambda db: summary.picture(db, now, registry, READER),
        "channels": lambda db: channels.channel_rows(db, now, registry, READER, with_uptime=True),
        "a look of the watch": lambda db: watch.look_at(db, now, registry, READER),
        "alarms that stand": alarms.standing,
        "hub status": inbox.counted,
        "doctor": lambda db: (
            looking.store_facts(db, registry, READER),
            looking.came_in_a_day(db, now),
            looking.lease_facts(db, now),
        ),
        "watch from a cursor": lambda db: inbox.admitted_after(db, db.execute(last).fetchone()[0] - LAST),
        "watch since a moment": lambda db: inbox.row_before(db, now - dt.timedelta(days=1)),
        "bulletin list": lambda db: newest(db, None),
        "bulletin list of a kind": lambda db: newest(db, "cyber-threat"),
        "bulletin list of a kind that is not there": lambda db: newest(db, "election-calendar"),
        "quarantine": lambda db: summary.quarantine(db, 10),
        "receipts that are due": receipt_queue.is_due,
        "what is lacking": lambda db: (
            missing.lacks(db, registry, READER, moment),
            missing.asked(db),
            missing.has_come(db),
            missing.newest(db),
        ),
        "what hubs hold": lambda db: list(holdings.holding(db, "xa-csirt", beats)),
        "what may go": lambda db: retention.erase_and_prune(db, now, rehearse=True),
        "what has expired": lambda db: tallies.is_due(db, moment),
        "what is to be ruled about": lambda db: (reassessment.must_rule(db), reassessment.must_retry(db)),
        "what waits": lambda db: Intake(None, 30.0).is_due(db, now),
    }


def newest(db: sqlite3.Connection, kind: str | None) -> list[Stored]:
    """The first of a list."""
    return list(islice(summary.newest(db, Status.ACTUAL, kind), LAST))


def steps(db: sqlite3.Connection, look: Look) -> int:
    """How many steps of SQLite's machine a look takes, in tens."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    look(db)  # statements are prepared once
    db.set_progress_handler(step, 10)
    try:
        look(db)
    finally:
        db.set_progress_handler(None, 0)
    return count

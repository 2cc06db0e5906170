"""What is asked of a hub's store again and again, or by a command, each as a question to an open connection."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from functools import partial
from itertools import islice

from bus.filters import of_text
from bus.health import looking
from bus.hub import retention
from bus.hub.exchange import missing, receipt_queue
from bus.hub.picture import (
    clocked,
    events,
    events_after,
    figures,
    lists,
    one_bulletin,
    owed,
    owed_within,
    ringing,
    search,
    summary,
    tallies,
)
from bus.hub.watch import alarms, channels, holdings, watch
from bus.policy import Clearance
from bus.subscribing import Stored, inbox
from bus.subscribing.intake import Intake
from bus.subscribing.reassessment import Reassessment
from schemas.subject import Channel
from schemas.vocab import Status, Tlp
from tests.growth.rows import READER
from tests.support.world import World

Look = Callable[[sqlite3.Connection], object]
LAST = 40


def looks(world: World) -> dict[str, Look]:
    """Every look, by name; each reads only."""
    now, registry = world.now, world.registry
    moment = now.timestamp()
    beats = Channel(issuer=READER, status=Status.BEAT, tlp=Tlp.GREEN, audience="community")
    law = clocked.law_of(lambda: registry, READER)
    reassessment = Reassessment(Intake(None, 30.0), registry, now)
    return {
        **for_pages(world),
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
        "watch from a cursor": lambda db: inbox.admitted_after(db, db.execute(_LAST).fetchone()[0] - LAST),
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
        "all clocks": lambda db: owed.owed(db, now, registry, READER, most=50),
        "clocks that ring": lambda db: ringing.is_due(db, law(), now),
        "what has expired": lambda db: tallies.is_due(db, moment),
        "what is to be ruled about": lambda db: (reassessment.must_rule(db), reassessment.must_retry(db)),
        "what waits": lambda db: Intake(None, 30.0).is_due(db, now),
    }


MANY = Clearance(ceiling=Tlp.AMBER_STRICT, audiences=frozenset({"community", "eu-csirts"}))
FEW = Clearance(ceiling=Tlp.GREEN, audiences=frozenset({"community"}))
NONE = Clearance(ceiling=Tlp.CLEAR, audiences=frozenset({"community", "eu-csirts"}))
"""Who sees all of the past, who half, and who nothing of it."""
ASKED = {
    "of an authority": "issuer:xa-csirt",
    "of two fields": "issuer:xa-csirt kind:cyber-threat",
    "of something rare": "kind:data-breach country:XB",
    "of an observable": "observable:203.0.113.7",
    "of a word": "text:flood",
}


def for_pages(world: World) -> dict[str, Look]:
    """Every look of a page, to who may see all, half and nothing."""
    now, registry = world.now, world.registry
    found: dict[str, Look] = {}
    for name, who in (("all", MANY), ("half", FEW), ("nothing", NONE)):
        few: dict[str, Look] = {
            "gravest": partial(lists.gravest, clearance=who, now=now),
            "newest": partial(lists.newest, clearance=who, now=now),
            "newest with ended": partial(lists.newest, clearance=who, now=now, with_ended=True),
            "above": partial(lists.above_ceiling, clearance=who, now=now),
            "totals": partial(figures.totals, clearance=who, now=now),
            "tiles": partial(figures.tiles, clearance=who, now=now),
            "facets": partial(figures.facets, clearance=who, now=now),
            "histogram": partial(figures.histogram, clearance=who, now=now),
            "clocks": partial(owed_within, clearance=who, now=now, registry=registry, reader=READER, most=50),
            "own clocks": partial(
                owed_within, clearance=who, now=now, registry=registry, reader=READER, ours=READER, most=50
            ),
            "met clocks": partial(
                owed_within, clearance=who, now=now, registry=registry, reader=READER, every=True, most=50
            ),
            "arrivals": partial(figures.arrivals, clearance=who, now=now),
            "search of a word": partial(search, clearance=who, now=now, text=("flood",)),
            "search of a rare word": partial(search, clearance=who, now=now, text=("n900",)),
            "search of a beginning": partial(search, clearance=who, now=now, text=("res*",)),
            "search of many words": partial(search, clearance=who, now=now, text=("n1*",)),
            "also in, of all": partial(lists.also_in, clearance=who, now=now, norm="203.0.113.7"),
            "also in, of one": partial(lists.also_in, clearance=who, now=now, norm="n900.example"),
        }
        for of, line in ASKED.items():
            asked = of_text(line)
            few[f"page {of}"] = partial(lists.newest, clearance=who, now=now, selection=asked)
            few[f"gravest {of}"] = partial(lists.gravest, clearance=who, now=now, selection=asked)
            few[f"facets {of}"] = partial(figures.facets, clearance=who, now=now, selection=asked)
        found |= {f"pages, {name}: {look}": of for look, of in few.items()}
        found |= {
            f"pages, {name}: since": lambda db, who=who: lists.since(  # type: ignore[misc]  # bound now
                db, who, now, db.execute(_LAST).fetchone()[0] - LAST
            ),
            f"pages, {name}: one bulletin": lambda db, who=who: one_bulletin(  # type: ignore[misc]  # bound now
                db, who, now, registry, db.execute(_NEWEST).fetchone()[0]
            ),
            f"pages, {name}: live log": lambda db, who=who: events_after(  # type: ignore[misc]  # bound now
                db, who, events.newest(db) - LAST
            ),
        }
    return found


_LAST = "SELECT row FROM admitted ORDER BY row DESC LIMIT 1"
_NEWEST = "SELECT id FROM actual ORDER BY row DESC LIMIT 1"


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

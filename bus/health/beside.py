"""The health of an identity from what it has on its disk: its store, its registry, and the states that its programs write."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import msgspec

from bus.health import looking
from bus.health.facts import Facts, KeyFacts
from bus.health.judging import judge
from bus.health.report import Report
from bus.health.running import running_now
from bus.health.state_file import read_states
from bus.trust import VerifiedRegistry


def report_beside(
    db: sqlite3.Connection, registry: VerifiedRegistry, authority: str, folder: Path, now: dt.datetime
) -> Report:
    """The report on how reliable a store is, without a look at the bus.

    Args:
        db: the store, inside a read.
        registry: the registry at `now`.
        authority: whose store it is.
        folder: the state folder of its identity.
        now: the present, aware.
    """
    programs, unread = read_states(folder)
    facts = Facts(
        identity=authority,
        store=looking.store_facts(db, registry, authority),
        trust=looking.trust_facts(registry, now),
        grants=looking.grant_facts(registry, authority),
        disk=looking.disk_facts(folder, looking.came_in_a_day(db, now)),
        lease=looking.lease_facts(db, now),
        programs=programs,
        unread=unread,
    )
    return judge(_with_told_keys(facts, registry, now), now)


def _with_told_keys(facts: Facts, registry: VerifiedRegistry, now: dt.datetime) -> Facts:
    """The facts, with the keys of this identity's running programs judged by the registry now."""
    kids: dict[str, KeyFacts] = {}
    for state in running_now(facts.programs, now):
        for key in state.facts.keys:
            kids[f"{key.use} {key.kid}"] = (
                looking.signing_key_facts(registry, facts.identity, key.kid.split(", "), now)
                if key.use == "signing"
                else key
            )
    return msgspec.structs.replace(facts, keys=tuple(kids.values()))

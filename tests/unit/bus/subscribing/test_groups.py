"""Settling in groups against settling one by one: after random histories every table is the same, and every count on the way."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import sqlite3
import tempfile
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bus.admission.verdict import Judged, Refused, decide
from bus.hub.picture.projection import MAX_HEADS, Projection
from bus.keys.signatures import sign_entry
from bus.policy.rates import RateLimit
from bus.subscribing import groups
from bus.subscribing.budget import Budget, Charges
from bus.subscribing.groups import Run
from bus.subscribing.inbox import Inbox
from bus.subscribing.tables import Stored
from bus.transport.cursor import Cursor
from schemas.bodies.system import Head
from schemas.bulletin import Bulletin
from schemas.codec import digest
from schemas.envelope import SIG_HEADER, format_header
from schemas.parts import Ref
from schemas.vocab import MsgType, RefRel, Status
from tests.support.hubs import STREAM, beat, judged
from tests.support.threads import canonical, still_withdrawn
from tests.support.world import NOW, Message, bulletin, chain, draft, sign, within
from tests.unit.bus.subscribing.test_statements import (
    CHANNEL,
    DAY,
    RESERVE,
    STOLEN,
    TWO_KEYS,
    WORLD,
    ends,
    following,
)

HOLD_S = 30.0
REGISTRIES = (
    TWO_KEYS,
    TWO_KEYS.with_revocation(ends(STOLEN.kid, by=RESERVE, since=NOW - DAY), NOW),
    following(TWO_KEYS, revoked=NOW - DAY),
)
"""What holds first, after a statement that ends one of two keys, and in the next version."""


def both(made: Bulletin) -> Message:
    """A bulletin that is signed by both keys of its issuer."""
    one = sign(WORLD, made, STOLEN)
    entries = [sign_entry(signer, one.payload, within()) for signer in (STOLEN, RESERVE)]
    headers = {**dict(one.headers), SIG_HEADER: format_header(entries)}
    return msgspec.structs.replace(one, headers=tuple(headers.items()))


def _green() -> list[Message]:
    """A channel that is signed by two keys, with an update and a withdrawal."""
    made: list[Message] = []
    for seq in range(1, 11):
        prev = made[-1].digest if made else None
        say = draft(f"number {seq}")
        if seq == 4:
            ref = Ref(id=made[1].bulletin.id, rel=RefRel.SUPERSEDES)
            say = draft("two, corrected", msg_type=MsgType.UPDATE, references=(ref,))
        if seq == 6:
            ref = Ref(id=made[2].bulletin.id, rel=RefRel.CANCELS)
            say = draft("three is withdrawn", msg_type=MsgType.CANCEL, references=(ref,))
        issued = NOW - dt.timedelta(days=2, minutes=-seq) if seq < 3 else NOW
        one = bulletin(WORLD, seq=seq, prev=prev, say=say, issued=issued)
        made.append(both(one) if seq == 7 else sign(WORLD, one, STOLEN if seq < 4 else RESERVE))
    return made


def _beats() -> list[Message]:
    """Heartbeats that name one head more than is kept of a channel, each another one."""
    made: list[Message] = []
    for seq in range(1, MAX_HEADS + 3):
        head = Head(channel="actual.green.community", seq=10, digest=digest(b"%d" % seq))
        made.append(beat(head, seq=seq, prev=made[-1].digest if made else None))
    return made


GREEN = _green()
OTHERS = chain(WORLD, 6, "xb-csirt")
EXERCISE: dict[str, Any] = {"status": Status.EXERCISE, "exercise_id": "ce-2027"}
DRILL = chain(WORLD, 3, "xa-dsc", **EXERCISE)
BEATS = _beats()
FORK = sign(WORLD, bulletin(WORLD, seq=3, prev=GREEN[1].digest, say=draft("another number 3")), RESERVE)
BROKEN = sign(WORLD, bulletin(WORLD, seq=5, prev="p" * 43, say=draft("after nothing")), RESERVE)
EXPIRED = sign(
    WORLD,
    bulletin(WORLD, "xb-csirt", seq=7, prev=OTHERS[-1].digest, expires=NOW - 2 * DAY, say=draft("too long")),
)
AFTER_EXPIRED = sign(WORLD, bulletin(WORLD, "xb-csirt", seq=8, prev=EXPIRED.digest))
SAME_ID = sign(WORLD, bulletin(WORLD, "xb-csirt", seq=9, prev=AFTER_EXPIRED.digest, id=OTHERS[0].bulletin.id))
SKIPS = sign(WORLD, bulletin(WORLD, "xa-dsc", seq=9, prev=DRILL[-1].digest, **EXERCISE))
THIEF = sign(WORLD, bulletin(WORLD, seq=6, prev=GREEN[4].digest, say=draft("a thief's")), STOLEN)
FUTURE = sign(WORLD, bulletin(WORLD, "xa-emb", issued=NOW + dt.timedelta(minutes=6)))
ALTERED = msgspec.structs.replace(OTHERS[2], payload=OTHERS[2].payload[:-1] + b" ")
SOUND = [*GREEN, *OTHERS, *DRILL, *BEATS]
POOL = [*SOUND, FORK, BROKEN, EXPIRED, AFTER_EXPIRED, SAME_ID, SKIPS, THIEF, FUTURE, ALTERED]


class Stumbling(Projection):
    """A picture that fails for some, after it has written."""

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Fail for each third number of one authority."""
        super().apply_many(db, rows)
        if any(row.seq % 3 == 0 and row.channel.startswith("xb-csirt/") for row in rows):
            raise ValueError("the handler fails")


def one_by_one(_db: object, _judged: object, first: int, _reach: int, _state: object) -> Run:
    """No run at all."""
    return Run(first, [])


async def dump(store: Inbox) -> dict[str, list[tuple[Any, ...]]]:
    """Every table, row by row."""

    def work(db: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
        names = [
            row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        ]
        found = {
            name: sorted((tuple(row) for row in db.execute(f"SELECT * FROM {name}")), key=repr)
            for name in names
            if name != "lease"
        }
        # In a group all are told of that came, then what has ended by it.
        found["events"] = sorted((each[1:] for each in found.get("events", ())), key=repr)
        return found | {"threads": canonical(db), "newly_withdrawn": still_withdrawn(db)}

    return await store.read(work)


class Side:
    """One of two stores, and what is done to it."""

    def __init__(self, store: Inbox, settle: Callable[..., Run] | None) -> None:
        self.store = store
        self._take_run = settle or groups.take_run
        self._budget = Budget(RateLimit(burst=7, per_s=1.0))
        self._cursor = 0

    async def do(self, step: tuple[Any, ...], registry: Any, now: dt.datetime) -> object:
        """One step of a history; what it says of itself."""
        with patch.object(groups, "take_run", self._take_run):
            return await self._do(step, registry, now)

    async def _do(self, step: tuple[Any, ...], registry: Any, now: dt.datetime) -> object:
        match step:
            case ("deliver", numbers, budgeted):
                self._cursor += len(numbers)
                verdicts: list[Judged | Refused] = [judged(POOL[n], registry, now) for n in numbers]
                charges = Charges(self._budget, [now.timestamp()] * len(numbers)) if budgeted else None
                cursor = Cursor(seq=self._cursor, digest="x")
                return await self.store.settle(verdicts, STREAM, cursor, now, charges=charges)
            case ("due",):
                due = await self.store.due_future(now)
                verdicts = [judged_again(each, registry, now) for each in due]
                return await self.store.settle(verdicts, None, None, now)
            case ("wait",):
                return await self.store.release(now)
            case ("decide", channel):
                return await self.store.decide(channel, "a person", "looked", now)
            case _:
                return await self.store.amend(registry, now)


def judged_again(message: Any, registry: Any, now: dt.datetime) -> Judged | Refused:
    """What waited for its time."""
    return decide(message, registry, now)


ORDERED = st.tuples(st.integers(0, len(SOUND) - 1), st.integers(1, 12)).map(
    lambda cut: list(range(cut[0], min(cut[0] + cut[1], len(POOL))))
)
BATCHES = ORDERED | st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=10)
STEPS = st.lists(
    st.tuples(st.just("deliver"), BATCHES, st.booleans())
    | st.tuples(st.just("deliver"), BATCHES, st.just(False))
    | st.sampled_from([("due",), ("wait",), ("amend",), ("decide", CHANNEL)]),
    min_size=2,
    max_size=14,
)
ALL = list(range(len(POOL)))


async def played(folder: str, steps: Sequence[tuple[Any, ...]], picture: type[Projection]) -> None:
    """A history in two stores; after each step what was said is the same, at the end every table."""
    async with (
        Inbox.open(Path(folder) / "a.db", projector=picture(), hold_s=HOLD_S) as first,
        Inbox.open(Path(folder) / "b.db", projector=picture(), hold_s=HOLD_S) as second,
    ):
        sides = Side(first, None), Side(second, one_by_one)
        now, version = NOW, 0
        for step in steps:
            if step[0] == "wait":
                now += dt.timedelta(seconds=HOLD_S + 1)
            elif step[0] == "due":
                now += dt.timedelta(minutes=7)
            elif step[0] == "amend":
                version = min(version + 1, len(REGISTRIES) - 1)
            said = [await side.do(step, REGISTRIES[version], now) for side in sides]
            assert said[0] == said[1], step
        assert await dump(first) == await dump(second)


@pytest.fixture(autouse=True)
def however_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is looked for in the smallest batch, too."""
    monkeypatch.setattr(groups, "FEWEST", 1)


@settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.sampled_from([Projection, Stumbling]))
@example([("deliver", ALL, False), ("amend",), ("deliver", ALL, False)], Projection)
@example(
    [("deliver", ALL[:5], False), ("amend",), ("deliver", ALL[5:], False), ("amend",), ("wait",)], Projection
)
@example([("deliver", ALL[5:], True), ("deliver", ALL[::-1], False), ("wait",), ("due",)], Stumbling)
@example(
    [("deliver", [0, 1, 2, len(SOUND), 3, 4], False), ("decide", CHANNEL), ("deliver", ALL, False)],
    Projection,
)
def test_groups_leave_what_one_by_one_leaves(steps: list[tuple[Any, ...]], picture: type[Projection]) -> None:
    """Doubles, holes, swaps, forks, altered ones, revocations, some from the future, some over their budget."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(played(folder, steps, picture))


async def settled(path: Path, messages: Sequence[Message], look: Callable[[Run], None]) -> Inbox:
    """A store that has taken messages in; `look` sees each run."""
    take_run = groups.take_run

    def seen(*arguments: Any) -> Run:
        run = take_run(*arguments)
        look(run)
        return run

    with patch.object(groups, "take_run", seen):
        async with Inbox.open(path, projector=Projection(), hold_s=HOLD_S) as store:
            await store.settle(
                [judged(each, TWO_KEYS) for each in messages], STREAM, Cursor(seq=1, digest="x"), NOW
            )
            return store


async def test_a_regular_batch_is_one_run(tmp_path: Path) -> None:
    """Of five authors or one: nothing of it goes the long way."""
    runs: list[int] = []
    messages = [each for pair in zip(GREEN[:6], OTHERS, strict=True) for each in pair]
    await settled(tmp_path / "s.db", messages, lambda run: runs.append(len(run.rows)))
    assert sum(runs) == len(messages)
    assert len(runs) == 1


async def test_what_is_known_is_hardly_looked_at_for_runs(tmp_path: Path) -> None:
    """A batch of which nothing is regular is looked ahead in by far fewer than it has."""
    looked: list[int] = []
    take_run = groups.take_run

    def seen(db: Any, verdicts: Any, first: int, reach: int, state: Any) -> Run:
        looked.append(min(reach, len(verdicts) - first))
        return take_run(db, verdicts, first, reach, state)

    known = [judged(each, TWO_KEYS) for each in OTHERS]
    async with Inbox.open(tmp_path / "s.db", projector=Projection()) as store:
        await store.settle(known, STREAM, None, NOW)
        with patch.object(groups, "take_run", seen):
            assert await store.settle(known * 50, STREAM, None, NOW) == {"duplicate": 300}
    assert sum(looked) <= groups.LONGEST + groups.SHORTEST * len(looked)
    assert len(looked) < 10


# -- runs that overlook something ---------------------------------------------------------------------------------------

OVERLOOKED: dict[str, tuple[str, str]] = {
    "what is held back": ("if state.holding and db.execute(_HELD, (channel,)).fetchone()[0]:", "if False:"),
    "a freeze": ("if contested.is_frozen(db, channel):", "if False:"),
    "what a statement ended nearby": ("if state.stated and (", "if False and ("),
    "what waits to be continued": (" or db.execute(_REFUSED, (channel,)).fetchone()[0]", ""),
    "the number": ("b.seq == head.seq + 1\n        and ", ""),
    "the predecessor": ("        and b.prev == head.digest\n", ""),
    "ids": ("        and b.id not in used\n", ""),
    "heads that are named": ("        and type(b.body) not in _ALONE\n", ""),
    "keys that have ended": ("        and state.ended.isdisjoint(found.signer_kids)\n", ""),
    "the budget": (
        "not state.charges.take(position, b.issuer.id, moment)",
        "not (state.charges.spend(position, b.issuer.id, moment) or True)",
    ),
    "its charge": (
        "not state.charges.take(position, b.issuer.id, moment)",
        "state.charges.wait(position, b.issuer.id, moment) is not None",
    ),
    "what goes before in the run": ("        head.seq, head.digest = b.seq, message.digest\n", ""),
}


def at(*messages: Message) -> list[int]:
    """Where messages stand in the pool."""
    places = {id(each): n for n, each in enumerate(POOL)}
    return [places[id(each)] for each in messages]


HISTORIES: list[list[tuple[Any, ...]]] = [
    [("deliver", ALL, False), ("amend",), ("deliver", ALL, False)],
    [("deliver", at(*GREEN[:6]), False), ("amend",), ("deliver", at(GREEN[6]), False)],
    [("deliver", at(*GREEN[:2]), False), ("amend",), ("deliver", at(FORK), False)],
    [
        *(("deliver", at(*GREEN[:4]), False), ("amend",), ("deliver", at(THIEF), False)),
        *(("rule",), ("deliver", at(GREEN[4]), False)),
    ],
    [("deliver", at(*GREEN[1:5]), False), ("deliver", at(GREEN[0]), False), ("deliver", ALL, False)],
    [("deliver", at(*GREEN[2:4]), False), ("deliver", at(*GREEN[:2]), False)],
    [("deliver", at(*GREEN[:3], FORK, *GREEN[3:5]), False)],
    [("deliver", at(*GREEN[:4], BROKEN), False)],
    [("deliver", at(*DRILL, SKIPS), False)],
    [("deliver", at(*OTHERS, EXPIRED, AFTER_EXPIRED, SAME_ID), False)],
    [("deliver", at(*BEATS, *GREEN), False)],
    [("deliver", ALL, True), ("deliver", ALL[::-1], True), ("wait",), ("due",)],
]


@pytest.mark.parametrize("check", OVERLOOKED)
def test_a_run_that_overlooks_something_is_caught(check: str) -> None:
    """Some history leaves other tables, or other words, or an error."""
    source = inspect.getsource(groups)
    found, instead = OVERLOOKED[check]
    assert source.count(found) == 1, "the check stands elsewhere by now"
    made = types.ModuleType("wrong groups")
    exec(compile(source.replace(found, instead), "wrong groups", "exec"), made.__dict__)  # noqa: S102 (our own source)
    for steps in HISTORIES:
        with tempfile.TemporaryDirectory() as folder, patch.object(groups, "take_run", made.take_run):
            try:
                asyncio.run(played(folder, steps, Projection))
            except Exception:  # noqa: BLE001 (an assertion or an error: it is caught)
                return
    pytest.fail("no history tells it apart")

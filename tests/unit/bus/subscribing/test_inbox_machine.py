"""The reader's store against a model, for any messages in any order, with errors, interruptions and reopenings."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bus.admission.chain import REFUSED, Link, Neighbours, Outcome, judge_link
from bus.admission.verdict import Refused
from bus.hub.picture.projection import Projection
from bus.storage.layout import Layout
from bus.subscribing.inbox import Inbox
from bus.subscribing.tables import Stored
from bus.transport.cursor import Cursor
from schemas.bulletin import Bulletin
from schemas.parts import Ref
from schemas.vocab import MsgType, RefRel
from tests.support.hubs import STREAM, judged
from tests.support.world import NOW, Message, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
HOLD_S = 30.0
EFFECTS = Layout(
    "effects", "CREATE TABLE IF NOT EXISTS effects (row INTEGER NOT NULL, channel TEXT NOT NULL)"
)
PICTURE = (
    "actual",
    "exercise",
    "test_and_system",
    "revisions",
    "channels",
    "outages",
    "announced_heads",
    "calendars",
)


def messages() -> list[Message]:
    """A chain with an update, a withdrawal and a refused link, another chain, and a contradiction."""
    first, second = chain(WORLD, 2)
    fork = sign(WORLD, bulletin(WORLD, seq=2, prev=first.digest, say=draft("another number 2")))
    expired = sign(WORLD, bulletin(WORLD, seq=3, prev=second.digest, expires=NOW - dt.timedelta(days=1)))
    update = draft(
        "one, corrected",
        msg_type=MsgType.UPDATE,
        references=(Ref(id=first.bulletin.id, rel=RefRel.SUPERSEDES),),
    )
    fourth = sign(WORLD, bulletin(WORLD, seq=4, prev=expired.digest, say=update))
    cancel = draft(
        "two is withdrawn",
        msg_type=MsgType.CANCEL,
        references=(Ref(id=second.bulletin.id, rel=RefRel.CANCELS),),
    )
    fifth = sign(WORLD, bulletin(WORLD, seq=5, prev=fourth.digest, say=cancel))
    return [first, second, fork, expired, fourth, fifth, *chain(WORLD, 3, "xb-csirt")]


MESSAGES = messages()
JUDGED = [judged(each, WORLD.registry, NOW) for each in MESSAGES]
IS_REFUSED = {
    each.digest: isinstance(verdict, Refused) for each, verdict in zip(MESSAGES, JUDGED, strict=True)
}

BATCHES = st.lists(st.integers(0, len(MESSAGES) - 1), min_size=1, max_size=5)


def channel_of(made: Bulletin) -> str:
    """The channel of what this test says."""
    return f"{made.issuer.id}/{made.status}.{made.tlp}.{made.audience}"


class Model:
    """What a store should hold, in dictionaries; the pure rules of chains are those of `bus.admission.chain`."""

    def __init__(self) -> None:
        self.links: dict[str, dict[int, Bulletin]] = {}
        self.digests: dict[tuple[str, int], str] = {}
        self.admitted: list[str] = []
        self.waiting: dict[str, Message] = {}
        self.quarantined: set[str] = set()
        self.cursor = 0

    def take(self, message: Message) -> str:
        """One delivery."""
        if not IS_REFUSED[message.digest]:
            outcome = self.place(message, patient=True)
        elif message.digest in self.quarantined:
            return "duplicate"
        else:
            self.quarantined.add(message.digest)
            outcome = self.place(message, patient=True)
        if outcome == "admitted":
            self.release_successors(channel_of(message.bulletin), message.bulletin.seq)
        return "refused" if IS_REFUSED[message.digest] else outcome

    def place(self, message: Message, *, patient: bool) -> str:
        """Into its chain, onto the waiting list, or into quarantine."""
        made, channel = message.bulletin, channel_of(message.bulletin)
        outcome = judge_link(
            Link(seq=made.seq, digest=message.digest, prev=made.prev, id=made.id), self.around(made)
        )
        if outcome is Outcome.DUPLICATE:
            return "duplicate"
        if outcome in REFUSED:
            is_new = message.digest not in self.quarantined
            self.quarantined.add(message.digest)
            return "refused" if is_new else "duplicate"
        if patient and outcome in (Outcome.GAP, Outcome.TRIMMED):
            is_new = message.digest not in self.waiting
            self.waiting[message.digest] = message
            return "held" if is_new else "duplicate"
        self.links.setdefault(channel, {})[made.seq] = made
        self.digests[channel, made.seq] = message.digest
        if not IS_REFUSED[message.digest]:
            self.admitted.append(message.digest)
        return "admitted"

    def around(self, made: Bulletin) -> Neighbours:
        """What stands around a bulletin's place; ids are never used twice here."""
        channel = channel_of(made)
        links = self.links.get(channel, {})
        following = links.get(made.seq + 1)
        return Neighbours(
            head_seq=max(links, default=None),
            at_seq=self.digests.get((channel, made.seq)),
            predecessor=self.digests.get((channel, made.seq - 1)),
            successor_prev=following.prev if following else None,
            digest_of_id=None,
        )

    def release_successors(self, channel: str, seq: int) -> None:
        """What waited for this number."""
        while candidates := self.of(channel, seq + 1):
            if self.released(candidates[0]) == "admitted":
                seq += 1

    def release(self) -> None:
        """All have waited long enough."""
        for channel in sorted({channel_of(each.bulletin) for each in self.waiting.values()}):
            while candidates := self.of(channel):
                if self.released(candidates[0]) == "admitted":
                    self.release_successors(channel, candidates[0].bulletin.seq)

    def of(self, channel: str, seq: int | None = None) -> list[Message]:
        """What waits on a channel, with this number or with any, lowest number first."""
        found = [
            each
            for each in self.waiting.values()
            if channel_of(each.bulletin) == channel and seq in (None, each.bulletin.seq)
        ]
        return sorted(found, key=lambda each: (each.bulletin.seq, each.digest))

    def released(self, message: Message) -> str:
        """One that waits no more."""
        del self.waiting[message.digest]
        return self.place(message, patient=False)


class Recording(Projection):
    """A picture that notes each effect, and fails for even numbers while told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_failing = False

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """With the table of effects."""
        return (*super().layouts, EFFECTS)

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Fail after the effects, which must be undone."""
        super().apply_many(db, rows)
        for row in rows:
            self._note(db, row)

    def show(self, db: sqlite3.Connection, row: Stored) -> None:
        """The same for one that is shown alone."""
        super().show(db, row)
        self._note(db, row)

    def _note(self, db: sqlite3.Connection, row: Stored) -> None:
        db.execute("INSERT INTO effects VALUES (?, ?)", (row.rowid, row.channel))
        if self.is_failing and row.seq % 2 == 0:
            raise ValueError("the handler fails")

    def clear(self, db: sqlite3.Connection) -> None:
        """With the effects."""
        super().clear(db)
        db.execute("DELETE FROM effects")

    def forget(self, db: sqlite3.Connection, channel: str, rows: Iterable[Stored]) -> None:
        """With the effects."""
        super().forget(db, channel, rows)
        db.execute("DELETE FROM effects WHERE channel = ?", (channel,))


class CrashError(Exception):
    """The program ends before the commit."""


class InboxMachine(RuleBasedStateMachine):
    """A store, its model, and all that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.picture = Recording()
        self.now = NOW
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.open()

    def open(self) -> None:
        """Open the file."""
        self.stack = AsyncExitStack()
        path = Path(self.folder.name) / "store.db"
        entered = self.stack.enter_async_context(Inbox.open(path, projector=self.picture, hold_s=HOLD_S))
        self.store: Inbox = self.run(entered)

    def run(self, work: Any) -> Any:
        """Wait for a coroutine."""
        return self.runner.run(work)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the store."""
        return self.run(self.store.read(lambda db: [tuple(row) for row in db.execute(sql)]))  # type: ignore[no-any-return]

    def dump(self, *tables: str) -> list[list[tuple[Any, ...]]]:
        """Tables, or all of them, row by row."""
        found = tables or [
            name for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        ]
        return [sorted(self.rows(f"SELECT * FROM {name}"), key=repr) for name in found]

    # -- what may happen ------------------------------------------------------------------------------------------------

    @initialize(is_failing=st.booleans())
    def begin(self, is_failing: bool) -> None:
        """Two bulletins in order and one after a hole, taken in by a handler that may fail."""
        self.deliver([0, 1, 4], is_failing)

    @rule(batch=BATCHES, is_failing=st.booleans())
    def deliver(self, batch: list[int], is_failing: bool) -> None:
        """A batch of the stream, old or new, with the cursor behind it; the handler works, or fails for some of it."""
        self.picture.is_failing = is_failing
        self.model.cursor += 1
        cursor = Cursor(seq=self.model.cursor, digest="x")
        counts = self.run(self.store.settle([JUDGED[n] for n in batch], STREAM, cursor, self.now))
        expected: dict[str, int] = {}
        for n in batch:
            outcome = self.model.take(MESSAGES[n])
            expected[outcome] = expected.get(outcome, 0) + 1
        assert counts == expected

    @rule(batch=BATCHES)
    def crash(self, batch: list[int]) -> None:
        """The same, but the program ends before the commit: nothing has happened, neither row nor effect nor cursor."""
        before = self.dump()
        cursor = Cursor(seq=self.model.cursor + 1, digest="x")

        def work(db: sqlite3.Connection) -> None:
            self.store._intake.settle(db, [JUDGED[n] for n in batch], STREAM, cursor, self.now)
            raise CrashError

        with pytest.raises(CrashError):
            self.run(self.store.write(work))
        self.reopen()
        assert self.dump() == before

    @rule(is_failing=st.booleans())
    def wait(self, is_failing: bool) -> None:
        """Time passes: what is held back is held back no longer, what failed is tried again."""
        self.picture.is_failing = is_failing
        self.now += dt.timedelta(seconds=HOLD_S + 1)
        self.run(self.store.release(self.now))
        self.model.release()

    @rule()
    def reopen(self) -> None:
        """Another program goes on."""
        self.run(self.stack.aclose())
        self.open()

    @rule()
    def rebuild(self) -> None:
        """A picture rebuilt from the signed bytes equals the earlier one, once failed bulletins have been taken in."""
        self.run(self.store.redrive())
        self.now += dt.timedelta(seconds=200)
        self.wait(is_failing=False)
        before = self.dump(*PICTURE)
        assert self.run(self.store.rebuild()) == len(self.model.admitted)
        assert self.dump(*PICTURE) == before

    # -- what is always so ------------------------------------------------------------------------------------------------

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Admitted in the same order, and the same held back, quarantined, linked; the cursor where it was put."""
        asked = {
            "admitted": "SELECT digest FROM admitted ORDER BY row",
            "held_back": "SELECT digest FROM held_back",
            "quarantine": "SELECT digest FROM quarantine",
            "links": "SELECT digest FROM links ORDER BY channel, seq",
        }
        found: dict[str, list[str]] = self.run(
            self.store.read(
                lambda db: {name: [row[0] for row in db.execute(sql)] for name, sql in asked.items()}
            )
        )
        assert found["admitted"] == self.model.admitted
        assert set(found["held_back"]) == self.model.waiting.keys()
        assert set(found["quarantine"]) == self.model.quarantined
        assert found["links"] == [digest for _, digest in sorted(self.model.digests.items())]
        assert self.run(self.store.cursor(STREAM)).seq == self.model.cursor

    @invariant()
    def has_each_effect_once(self) -> None:
        """One for each admitted bulletin, none while the handler fails for it."""
        done = [row for (row,) in self.rows("SELECT row FROM effects ORDER BY row")]
        assert done == [row for (row,) in self.rows("SELECT row FROM admitted WHERE tries = 0 ORDER BY row")]

    def teardown(self) -> None:
        """With the handler repaired, everything has its effect."""
        self.rebuild()
        assert self.rows("SELECT count(*) FROM admitted WHERE tries > 0") == [(0,)]
        self.has_each_effect_once()
        self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


InboxMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
test_a_store_is_as_its_model = InboxMachine.TestCase

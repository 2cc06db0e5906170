"""The checker over simulated runs: what is real is the outbox's chain, admission and the reader's store; the way between is not.

The way drops, doubles, reorders and goes back to its beginning, and a forger adds to it. The reader asks again for what it
lacks, as it does of a stream. Then single parts of the reader are broken, and the checker must see each.
"""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.admission.verdict import Judged, Message, Refused, decide
from bus.subscribing.intake import Intake
from bus.subscribing.tables import SCHEMA, Waiting
from tests.faults import history as told
from tests.faults.checker import Bounds, Verdict, judge
from tests.faults.forgeries import Forger
from tests.faults.world import channel_of
from tests.support import world

WORLD = world.shared_world()
CHANNEL = channel_of("xa-csirt", "community")
COUNT = 30
HOLD_S = 1e6


class Reader:
    """A hub's admission and store, without a bus."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(SCHEMA)
        self.settling = Intake(None, HOLD_S)

    def take(self, messages: Sequence[Message]) -> None:
        """Take a batch in."""
        self.settling.settle(self.db, [self.judge(each) for each in messages], None, None, WORLD.now)

    def judge(self, message: Message) -> Judged | Refused:
        """Admission."""
        return decide(message, WORLD.registry, WORLD.now)

    def tells(self) -> list[told.AnyEvent]:
        """What a hub's program would tell of its store."""
        admitted = self.db.execute("SELECT * FROM admitted ORDER BY row").fetchall()
        refused = self.db.execute("SELECT * FROM quarantine").fetchall()
        return [
            *(
                told.Admitted(
                    at=3,
                    hub="xb-hub",
                    row=each["row"],
                    channel=each["channel"],
                    seq=each["seq"],
                    digest=each["digest"],
                )
                for each in admitted
            ),
            *(
                told.Refused(at=3, hub="xb-hub", digest=each["digest"], reason=each["reason"])
                for each in refused
            ),
        ]


class Impatient(Intake):
    """Holds nothing back for the bulletin before it."""

    def place(self, db: sqlite3.Connection, waiting: Waiting, now: dt.datetime, *, patient: bool) -> str:
        """As if it had waited long enough."""
        return super().place(db, waiting, now, patient=False)


class WithoutHoldBack(Reader):
    """Puts bulletins in the order they come in."""

    def __init__(self) -> None:
        super().__init__()
        self.settling = Impatient(None, 0.0)


class WithoutVerifying(WithoutHoldBack):
    """Believes every bulletin that can be read."""

    def judge(self, message: Message) -> Judged | Refused:
        """As if the issuer had signed it."""
        found = super().judge(message)
        signed = world.sign(WORLD, message.payload, by="xa-csirt", subject=message.subject)
        again = super().judge(msgspec.structs.replace(message, headers=signed.headers))
        return found if isinstance(again, Refused) else again


class WithoutMemory(Reader):
    """Admits again what it has admitted."""

    def take(self, messages: Sequence[Message]) -> None:
        """With an effect for each message, and none for each bulletin."""
        for each in messages:
            held = self.db.execute("SELECT * FROM admitted WHERE digest = ?", (each.digest,)).fetchone()
            super().take([each])
            if held is not None:
                self.again.append(held)

    def __init__(self) -> None:
        super().__init__()
        self.again: list[sqlite3.Row] = []

    def tells(self) -> list[told.AnyEvent]:
        """What handlers would have seen."""
        return super().tells() + [
            told.Admitted(
                at=3,
                hub="xb-hub",
                row=10_000 + n,
                channel=each["channel"],
                seq=each["seq"],
                digest=each["digest"],
            )
            for n, each in enumerate(self.again)
        ]


class WithoutCare(Reader):
    """Moves its cursor before it has taken a batch in, and dies in between."""

    skipped: str | None = None

    def take(self, messages: Sequence[Message]) -> None:
        """All but one bulletin, which never comes again."""
        good = (each.digest for each in messages if isinstance(self.judge(each), Judged))
        self.skipped = self.skipped or next(good, None)
        super().take([each for each in messages if each.digest != self.skipped])


class SilentlyRefusing(Reader):
    """Drops what it refuses."""

    def take(self, messages: Sequence[Message]) -> None:
        """Only what stands."""
        super().take([each for each in messages if isinstance(self.judge(each), Judged)])


def simulate(reader: Reader, rng: random.Random) -> Verdict:
    """One run: everything is said, the way is bad for a while, then it is good and the reader reads from the start."""
    said = [_carried(each) for each in world.chain(WORLD, COUNT)]
    forger = Forger(WORLD.registry, "xa-csirt", WORLD.signers["xa-dpa"], rng, lambda: WORLD.now)
    forged = [forger.make() for _ in range(10)]
    events: list[told.AnyEvent] = [told.Reads(at=0, hub="xb-hub", channels=(CHANNEL,))]
    for seq, each in enumerate(said, 1):
        events.append(told.Accepted(at=1, channel=CHANNEL, seq=seq, digest=each.digest))
        events.append(told.Stored(at=2, digest=each.digest))
    for kind, made in forged:
        events.append(told.Forged(at=1, kind=kind, channel=CHANNEL, digest=made.digest))
    stream = said + [_carried(made) for _, made in forged]
    rng.shuffle(stream)
    bad = [each for each in stream if rng.random() < 0.7] + rng.choices(stream, k=20)
    rng.shuffle(bad)
    for way in (bad, [*said, *stream]):
        while way:
            size = rng.randint(1, 8)
            reader.take(way[:size])
            del way[:size]
    return judge([*events, *reader.tells()], Bounds())


def _carried(made: world.Message) -> Message:
    return Message(
        subject=made.subject,
        headers=made.headers,
        payload=made.payload,
        stream="WORLD_ACTUAL",
        stream_seq=1,
        digest=made.digest,
    )


@settings(max_examples=15)
@given(st.integers(min_value=0))
def test_no_way_however_bad_breaks_a_promise(seed: int) -> None:
    """Dropped, doubled, shuffled, read again and mixed with forgeries: once, in order, and nothing else."""
    assert simulate(Reader(), random.Random(seed)).broken(Bounds()) == []


@pytest.mark.parametrize(
    ("reader", "promise"),
    [
        (WithoutHoldBack, "disordered"),
        (WithoutVerifying, "forged"),
        (WithoutMemory, "twice"),
        (WithoutCare, "lost"),
        (SilentlyRefusing, "unnoticed"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_broken_part_is_caught(reader: type[Reader], promise: str, seed: int) -> None:
    """Whichever part of a reader is broken, the checker says which promise it broke."""
    assert getattr(simulate(reader(), random.Random(seed)), promise)

"""The outbox against a model: no number is used twice or lost, and nothing accepted is forgotten, with any ends and faults."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bus.errors import PermitError
from bus.publishing.outbox import Outbox, Row, Settled
from bus.publishing.publisher import Publisher
from bus.storage.lease import owner_name
from schemas.errors import RuleError
from schemas.vocab import MsgType, Status, Tlp
from tests.support.world import DEFAULTS, draft, shared_world

WORLD = shared_world()
PLACES: tuple[dict[str, Any], ...] = (
    {},
    {"tlp": Tlp.AMBER_STRICT, "audience": "eu-csirts"},
    {"status": Status.EXERCISE, "exercise_id": "xa-drill"},
)
CHANNELS = ("actual.green.community", "actual.amber-strict.eu-csirts", "exercise.green.community")
REFUSED: tuple[tuple[dict[str, Any], type[Exception]], ...] = (
    ({"tlp": Tlp.AMBER}, PermitError),
    ({"msg_type": MsgType.UPDATE}, RuleError),
)
DRAFTS = st.tuples(st.sampled_from(range(len(PLACES))), st.sampled_from([None, None, "a", "b"]))
"""A place and the key that allows no second bulletin."""
TTL_S = 10.0


class Said(msgspec.Struct, kw_only=True):
    """One accepted bulletin, as the model has it."""

    digest: str
    channel: str
    state: str = "kept"


class OutboxMachine(RuleBasedStateMachine):
    """An outbox with a publisher that only keeps, its model, and all that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Said] = []  # row n is the n-th
        self.once: dict[str, str] = {}
        self.holder: tuple[str, float] | None = None
        self.owners = (owner_name(), owner_name())
        self.moment = 100.0
        self.is_failing = False
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.open()

    def open(self) -> None:
        """Open the file, with another publisher."""
        self.stack = AsyncExitStack()

        async def work() -> None:
            self.box = await self.stack.enter_async_context(Outbox.open(Path(self.folder.name) / "outbox.db"))
            self.publisher = await self.stack.enter_async_context(
                Publisher.open(
                    authority_id="xa-csirt",
                    outbox=self.box,
                    registry=lambda: WORLD.registry,
                    signers=(WORLD.signers["xa-csirt"],),
                    endpoint=None,
                    defaults=DEFAULTS,
                    clock=lambda: WORLD.now,
                    rng=self.random,
                )
            )

        self.run(work())

    def random(self, count: int) -> bytes:
        """Fails in the middle of a stamping when told to."""
        if self.is_failing:
            raise OSError("no randomness")
        return secrets.token_bytes(count)

    def run(self, work: Any) -> Any:
        """Wait for a coroutine."""
        return self.runner.run(work)

    # -- what may happen ------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Something is said."""
        self.publish([(0, None), (0, None), (1, None), (0, "a"), (2, None)])

    @rule(drafts=st.lists(DRAFTS, min_size=1, max_size=4))
    def publish(self, drafts: list[tuple[int, str | None]]) -> None:
        """Each gets the next number of its channel; under a key that was used, the bulletin there is."""
        for place, key in drafts:
            accepted = self.run(self.publisher.publish(draft(**PLACES[place]), once=key))
            if key in self.once:
                assert (accepted.state, accepted.digest) == ("known", self.once[key])
                continue
            channel = CHANNELS[place]
            assert accepted.channel == f"xa-csirt/{channel}"
            assert accepted.seq == 1 + sum(each.channel == channel for each in self.said)
            self.said.append(Said(digest=accepted.digest, channel=channel))
            if key is not None:
                self.once[key] = accepted.digest

    @rule(which=st.integers(0, len(REFUSED) - 1))
    def publish_refused(self, which: int) -> None:
        """A refused draft uses no number."""
        changes, error = REFUSED[which]
        with pytest.raises(error):
            self.run(self.publisher.publish(draft(**changes)))

    @rule(place=st.integers(0, len(PLACES) - 1))
    def publish_cut_short(self, place: int) -> None:
        """A stamping that fails in its midst uses no number either."""
        self.is_failing = True
        with pytest.raises(OSError, match="no randomness"):
            self.run(self.publisher.publish(draft(**PLACES[place])))
        self.is_failing = False

    @rule(acknowledged=st.integers(0, 5))
    def send(self, acknowledged: int) -> None:
        """A round of the sender: what is due comes in order, and some of it is acknowledged."""
        self.moment += 1.0
        found: dict[str, list[Row]] = self.run(self.box.claim((), self.moment))
        expected = [n for n in range(1, len(self.said) + 1) if self.is_due(n)]
        assert sorted(row.n for rows in found.values() for row in rows) == expected
        for rows in found.values():
            assert [row.n for row in rows] == sorted(row.n for row in rows)
        settled = [Settled(n=n, stream="XA", stream_seq=n) for n in expected[:acknowledged]]
        self.run(self.box.settle(settled, self.moment))
        for each in settled:
            self.said[each.n - 1].state = "stored"

    def is_due(self, n: int) -> bool:
        """Whether a row is to be sent: it is not stored, nor is anything before it on its channel parked."""
        this = self.said[n - 1]
        return this.state == "kept" and not any(
            each.state == "parked" and each.channel == this.channel for each in self.said[: n - 1]
        )

    @precondition(lambda self: self.said)
    @rule(place=st.integers(0, 5))
    def park(self, place: int) -> None:
        """The broker refuses one; what is stored is parked no more."""
        n = place % len(self.said) + 1
        self.run(self.box.park([n], "refused-by-broker"))
        if self.said[n - 1].state == "kept":
            self.said[n - 1].state = "parked"

    @rule()
    def release(self) -> None:
        """Everything that is parked is offered again."""
        parked = [each for each in self.said if each.state == "parked"]
        assert self.run(self.box.release()) == len(parked)
        for each in parked:
            each.state = "kept"

    @rule(who=st.integers(0, 1), later=st.sampled_from([0.0, 4.0, 11.0]))
    def take_lease(self, who: int, later: float) -> None:
        """One sender at a time, until its time is up."""
        self.moment += later
        owner = self.owners[who]
        is_free = self.holder is None or self.holder[0] == owner or self.moment >= self.holder[1]
        assert self.run(self.box.take_lease(owner, self.moment, TTL_S)) == is_free
        if is_free:
            self.holder = (owner, self.moment + TTL_S)

    @rule(who=st.integers(0, 1))
    def drop_lease(self, who: int) -> None:
        """Only its holder can give it up."""
        self.run(self.box.drop_lease(self.owners[who]))
        if self.holder is not None and self.holder[0] == self.owners[who]:
            self.holder = None

    @rule()
    def reopen(self) -> None:
        """Another program goes on."""
        self.run(self.stack.aclose())
        self.open()

    # -- what is always so ------------------------------------------------------------------------------------------------

    @invariant()
    def holds_what_was_accepted(self) -> None:
        """Every accepted bulletin, in its state; and each channel is one chain from number 1 on."""
        rows: list[Row] = sorted(self.run(self.box.rows()), key=lambda row: row.n)
        assert [(row.digest, row.channel, row.state) for row in rows] == [
            (each.digest, each.channel, each.state) for each in self.said
        ]
        for channel in CHANNELS:
            links = [row for row in rows if row.channel == channel]
            assert [row.seq for row in links] == list(range(1, len(links) + 1))
            assert [row.prev for row in links] == [None, *(row.digest for row in links)][: len(links)]

    def teardown(self) -> None:
        """What was accepted is there for the next program too."""
        self.reopen()
        self.holds_what_was_accepted()
        self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


OutboxMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
test_an_outbox_is_as_its_model = OutboxMachine.TestCase

"""Groups of drafts against a model: refused ones use no number, each tree is one run of a channel, nothing accepted is lost."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bus.admission.steps import admit
from bus.errors import OutboxError
from bus.publishing.outbox import Row
from bus.publishing.stamping import Accepted
from schemas.codec import decode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, Context, parse_header
from schemas.errors import TocsinError
from schemas.merkle import MAX_SIZE
from schemas.vocab import MsgType, Status, Tlp
from tests.support.publishers import publishing
from tests.support.world import DOMAIN, draft, shared_world

WORLD = shared_world()
PLACES: tuple[dict[str, Any], ...] = (
    {},
    {"tlp": Tlp.AMBER_STRICT, "audience": "eu-csirts"},
    {"status": Status.EXERCISE, "exercise_id": "xa-drill"},
    {"tlp": Tlp.AMBER},  # not permitted
    {"msg_type": MsgType.UPDATE},  # against a rule
)
REFUSED = (3, 4)
NAMES = st.sampled_from([None, None, "a", "b", "c"])


class Wanted(NamedTuple):
    """A draft: its place among `PLACES`, its key and its origin."""

    place: int
    once: str | None
    origin: str | None


GROUPS = st.lists(st.builds(Wanted, st.integers(0, len(PLACES) - 1), NAMES, NAMES), max_size=9)


class Said(msgspec.Struct, kw_only=True):
    """One accepted bulletin, as the model has it."""

    digest: str
    id: str
    place: int
    seq: int
    supersedes: str | None


class Failing:
    """A signer that fails when told to."""

    def __init__(self) -> None:
        self._inner = WORLD.signers["xa-csirt"]
        self.alg, self.kid = self._inner.alg, self._inner.kid
        self.is_failing = False

    def sign(self, data: bytes) -> bytes:
        """Sign, or fail."""
        if self.is_failing:
            raise OutboxError("the token is gone", reason="token-absent")
        return self._inner.sign(data)


class GroupMachine(RuleBasedStateMachine):
    """A publisher that only keeps, its model, and groups of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Said] = []
        self.once: dict[str, Said] = {}
        self.origins: dict[str, str] = {}
        self.signer = Failing()
        self.is_failing = False
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.open()

    def open(self) -> None:
        """Open the outbox, with another publisher."""
        self.stack = AsyncExitStack()
        path = Path(self.folder.name) / "outbox.db"
        opened = publishing(path, WORLD, signer=self.signer)
        self.publisher = self.runner.run(self.stack.enter_async_context(opened))

    def many(self, group: list[Wanted]) -> Any:
        """Publish a group."""
        return self.runner.run(
            self.publisher.publish_many(
                [draft(secrets.token_hex(4), **PLACES[each.place]) for each in group],
                once=[each.once for each in group],
                origins=[each.origin for each in group],
            )
        )

    def note(self, group: list[Wanted], outcomes: list[Any]) -> None:
        """Hold the outcomes to the model, which takes the drafts one after the other."""
        assert len(outcomes) == len(group)
        for wanted, outcome in zip(group, outcomes, strict=True):
            known = self.once.get(wanted.once or "")
            if known is not None:
                assert (outcome.state, outcome.digest, outcome.seq) == ("known", known.digest, known.seq)
                continue
            # A draft that says it updates something and has an origin refers to it by that alone.
            stands = wanted.place == 4 and wanted.origin in self.origins
            if wanted.place in REFUSED and not stands:
                assert isinstance(outcome, TocsinError)
                continue
            place = 0 if stands else wanted.place
            seq = 1 + sum(each.place == place for each in self.said)
            assert isinstance(outcome, Accepted)
            assert (outcome.seq, outcome.state) == (seq, "accepted")
            said = Said(
                digest=outcome.digest,
                id=outcome.id,
                place=place,
                seq=seq,
                supersedes=self.origins.get(wanted.origin or ""),
            )
            self.said.append(said)
            if wanted.once is not None:
                self.once[wanted.once] = said
            if wanted.origin is not None:
                self.origins[wanted.origin] = said.id

    # -- what may happen ------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """A group larger than a tree."""
        group = [Wanted(0, None, None)] * (MAX_SIZE + 2)
        self.note(group, self.many(group))

    @rule(group=GROUPS)
    def publish_together(self, group: list[Wanted]) -> None:
        """What one program says at once."""
        self.note(group, self.many(group))

    @rule(group=GROUPS)
    def publish_at_the_same_time(self, group: list[Wanted]) -> None:
        """What several tasks say at once, each for itself; they are taken in their order."""

        async def all_of_it() -> list[Any]:
            saying = [
                self.publisher.publish(
                    draft(secrets.token_hex(4), **PLACES[each.place]), once=each.once, origin=each.origin
                )
                for each in group
            ]
            return await asyncio.gather(*saying, return_exceptions=True)

        self.note(group, self.runner.run(all_of_it()))

    @rule(group=GROUPS)
    def cannot_sign(self, group: list[Wanted]) -> None:
        """A group that cannot be signed leaves nothing, and each of it hears why."""
        self.signer.is_failing = True
        outcomes = self.many([*group, Wanted(0, None, None)])
        self.signer.is_failing = False
        assert {each.reason for each in outcomes} == {"token-absent"}

    @rule(group=GROUPS)
    def cannot_commit(self, group: list[Wanted]) -> None:
        """A commit that fails leaves nothing, and each of the group hears why."""

        def full(_: Any) -> None:
            raise MemoryError

        heads: Any = self.publisher.outbox.heads
        committing, heads.committing = heads.committing, full
        outcomes = self.many([*group, Wanted(0, None, None)])
        heads.committing = committing
        assert {each.reason for each in outcomes} == {"store-memory"}

    @rule()
    def reopen(self) -> None:
        """Another program goes on."""
        self.runner.run(self.stack.aclose())
        self.open()

    # -- what is always so ------------------------------------------------------------------------------------------------

    @invariant()
    def holds_what_was_accepted(self) -> None:
        """In the order in which it was said, each admitted by itself, each referring to what it supersedes."""
        rows: list[Row] = sorted(self.runner.run(self.publisher.outbox.rows()), key=lambda row: row.n)
        assert [(row.digest, row.seq) for row in rows] == [(each.digest, each.seq) for each in self.said]
        trees: dict[str, list[Row]] = {}
        for row, said in zip(rows, self.said, strict=True):
            headers = row.header_map()
            admit(row.subject, headers, row.payload, registry=WORLD.registry, now=WORLD.now)
            assert [ref.id for ref in decode(row.payload).references] == [said.supersedes][
                : bool(said.supersedes)
            ]
            (entry,) = parse_header(headers[SIG_HEADER], Context(TYP_BULLETIN, DOMAIN))
            if entry.batch is not None:
                trees.setdefault(entry.batch.head, []).append(row)
                assert entry.batch.index == len(trees[entry.batch.head]) - 1
        for tree in trees.values():
            (entry,) = parse_header(tree[0].header_map()[SIG_HEADER], Context(TYP_BULLETIN, DOMAIN))
            assert entry.batch is not None
            assert len(tree) == entry.batch.size
            assert len({row.channel for row in tree}) == 1
            assert [row.seq for row in tree] == list(range(tree[0].seq, tree[0].seq + len(tree)))

    def teardown(self) -> None:
        """What was accepted is there for the next program too."""
        self.reopen()
        self.holds_what_was_accepted()
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


GroupMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
test_groups_are_as_their_model = GroupMachine.TestCase

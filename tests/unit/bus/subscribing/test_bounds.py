"""What others can make a reader keep: nobody is charged for what he is not proven to have said, and rubbish has an end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from bus.admission.verdict import Judged, Refused, decide
from bus.keys.signatures import FileSigner, sign_entry
from bus.policy.rates import RateLimit
from bus.subscribing import tables
from bus.subscribing.budget import Budget, Charges
from bus.subscribing.inbox import Inbox
from bus.subscribing.reassessment import READ_AGAIN
from bus.transport.cursor import Cursor
from schemas.codec import encode
from schemas.envelope import SIG_HEADER, format_header
from tests.support import world
from tests.support.hubs import STREAM, judged
from tests.support.world import NOW, bulletin, chain, draft, shared_world, sign, within
from tests.unit.bus.subscribing.test_rejudging import listing, received

WORLD = shared_world()
ONE_EACH_CENTURY = RateLimit(burst=2, per_s=1 / (100 * 365 * 86_400))


async def take(store: Inbox, budget: Budget, verdicts: Sequence[Judged | Refused]) -> dict[str, int]:
    """Settle verdicts whose messages a stream took just now, at a budget's expense."""
    moments = [NOW.timestamp()] * len(verdicts)
    return dict(await store.settle(verdicts, STREAM, Cursor(), NOW, charges=Charges(budget, moments)))


def forged(message: world.Message, number: int) -> world.Message:
    """The message with a signature that does not fit: another one for each number."""
    entry = sign_entry(WORLD.signers["xa-csirt"], f"{number}".encode(), within())
    return msgspec.structs.replace(message, headers=((SIG_HEADER, format_header((entry,))),))


async def test_rubbish_under_a_name_is_not_charged_to_it(tmp_path: Path) -> None:
    """A hundred forgeries later its own bulletins are admitted."""
    mine = chain(WORLD, 2)
    async with Inbox.open(tmp_path / "s.db") as store:
        budget = Budget(ONE_EACH_CENTURY)
        rubbish = [judged(forged(mine[0], number)) for number in range(100)]
        assert (await take(store, budget, rubbish)) == {"refused": 100}
        assert await take(store, budget, [judged(each) for each in mine]) == {"admitted": 2}


async def test_what_is_known_is_not_charged(tmp_path: Path) -> None:
    """Its own bulletins, sent again by others, use nothing up; and what is beyond the budget still waits, once."""
    mine = chain(WORLD, 4)
    async with Inbox.open(tmp_path / "s.db") as store:
        budget = Budget(ONE_EACH_CENTURY)
        assert await take(store, budget, [judged(mine[0])] * 50) == {"admitted": 1, "duplicate": 49}
        assert await take(store, budget, [judged(mine[1])]) == {"admitted": 1}
        assert await take(store, budget, [judged(mine[2])]) == {"over_budget": 1}
        assert await take(store, budget, [judged(mine[2])] * 2) == {"duplicate": 2}
        assert await take(store, budget, [judged(mine[0])]) == {"duplicate": 1}


async def test_a_refused_bulletin_that_is_proven_is_charged(tmp_path: Path) -> None:
    """An insider who says what it may not say uses its own budget up, and nobody else's."""
    beyond = [sign(WORLD, bulletin(WORLD, seq=n, prev="A" * 43, audience="nobody")) for n in (2, 3, 4)]
    (other,) = chain(WORLD, 1, "xb-csirt")
    async with Inbox.open(tmp_path / "s.db") as store:
        budget = Budget(ONE_EACH_CENTURY)
        assert await take(store, budget, [judged(each) for each in beyond]) == {
            "refused": 2,
            "over_budget": 1,
        }
        assert await take(store, budget, [judged(other)]) == {"admitted": 1}


async def test_rubbish_is_kept_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stays; strangers' bulletins have a bound of their own; proven refusals are not let go for them."""
    monkeypatch.setattr(tables, "MOST_UNPROVEN", 5)
    (mine,) = chain(WORLD, 1)
    fork = sign(WORLD, bulletin(WORLD, say=draft("something else")))
    stranger = received(sign(WORLD, bulletin(WORLD), by=FileSigner.generate()), 1)
    async with Inbox.open(tmp_path / "s.db") as store:
        await store.settle([judged(mine), judged(fork)], None, None, NOW)
        await store.settle([decide(stranger, WORLD.registry, NOW)], None, None, NOW)
        rubbish = [forged(mine, number) for number in range(12)]
        for each in rubbish:
            await store.settle([judged(each)], None, None, NOW)
        kept = await store.read(
            lambda db: db.execute("SELECT reason, headers FROM quarantine ORDER BY n").fetchall()
        )
        assert [row["reason"] for row in kept] == ["fork", "unknown-key", *["bad-signature"] * 5]
        assert [row["headers"] for row in kept[2:]] == [tables.as_json(each.headers) for each in rubbish[-5:]]


async def test_rubbish_is_kept_up_to_a_bound_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few they are."""
    (mine,) = chain(WORLD, 1)
    size = len(mine.payload) + len(tables.as_json(forged(mine, 0).headers))
    monkeypatch.setattr(tables, "MOST_UNPROVEN_BYTES", 3 * size + size // 2)
    async with Inbox.open(tmp_path / "s.db") as store:
        for number in range(9):
            await store.settle([judged(forged(mine, number))], None, None, NOW)
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM quarantine").fetchone()[0]) == 3


async def test_a_strangers_signature_does_not_stand_in_for_the_true_one(tmp_path: Path) -> None:
    """The same bytes with a signature of nobody come first: when the key comes, the true ones are admitted."""
    new = FileSigner.generate()
    true = sign(WORLD, bulletin(WORLD), by=new)
    false = sign(WORLD, true.payload, by=FileSigner.generate(), subject=true.subject)
    async with Inbox.open(tmp_path / "s.db") as store:
        found = [decide(received(each, n), WORLD.registry, NOW) for n, each in enumerate((false, true))]
        await store.settle(found, None, None, NOW)
        assert dict(await store.amend(listing(new), NOW)) == {"admitted": 1}


async def test_what_was_let_go_before_its_key_came_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers push a bulletin out of quarantine: with the next version the streams are read anew, once."""
    monkeypatch.setattr(tables, "MOST_UNPROVEN", 3)
    new = FileSigner.generate()
    mine = received(sign(WORLD, bulletin(WORLD), by=new), 1)
    strangers = [received(sign(WORLD, bulletin(WORLD), by=FileSigner.generate()), n) for n in range(2, 6)]
    async with Inbox.open(tmp_path / "s.db") as store:
        for each in (mine, *strangers):
            await store.settle([decide(each, WORLD.registry, NOW)], None, None, NOW)
        registry = listing(new)
        assert (await store.amend(registry, NOW))[READ_AGAIN] == 1
        assert READ_AGAIN not in await store.amend(registry, NOW)
        verdict = decide(mine, registry, NOW)
        assert await store.settle([verdict], None, None, NOW) == {"admitted": 1}
        assert READ_AGAIN not in await store.amend(registry, NOW + dt.timedelta(days=1))


async def test_more_co_signatures_of_a_known_bulletin_are_taken_over(tmp_path: Path) -> None:
    """Who strips a co-signature and comes first has won nothing; who strips it later takes nothing away."""
    made = bulletin(WORLD, co_issuers=(WORLD.registry.issuer("xb-csirt"),))
    payload = encode(made)
    alone = sign(WORLD, made)
    both = tuple(sign_entry(WORLD.signers[name], payload, within()) for name in ("xa-csirt", "xb-csirt"))
    headers = tuple({**dict(alone.headers), SIG_HEADER: format_header(both)}.items())
    together = msgspec.structs.replace(alone, headers=headers)

    async def endorsed(store: Inbox) -> tuple[str, bool]:
        def work(db: object) -> tuple[str, bool]:
            row = db.execute("SELECT * FROM admitted").fetchone()  # type: ignore[attr-defined]
            return row["endorsers"], tables.UNCONFIRMED in row["labels"]

        return await store.read(work)

    async with Inbox.open(tmp_path / "s.db") as store:
        await store.settle([judged(alone)], None, None, NOW)
        assert await endorsed(store) == ("[]", True)
        for each in (together, alone):
            assert await store.settle([judged(each)], None, None, NOW) == {"duplicate": 1}
            assert await endorsed(store) == ('["xb-csirt"]', False)


async def test_a_clock_that_is_set_back_puts_nobody_off(tmp_path: Path) -> None:
    """What was counted by the clock of before says nothing: no authority waits for that moment to come again."""
    mine = chain(WORLD, 2)
    budget = Budget(RateLimit(burst=2, per_s=1.0))
    for _ in range(2):
        Charges(budget, [NOW.timestamp()]).spend(0, "xa-csirt", NOW.timestamp())
    before = NOW - dt.timedelta(hours=1)
    moments = [NOW.timestamp()] * 2
    async with Inbox.open(tmp_path / "s.db") as store:
        found = await store.settle(
            [judged(each) for each in mine], STREAM, Cursor(), before, charges=Charges(budget, moments)
        )
    assert dict(found) == {"admitted": 2}

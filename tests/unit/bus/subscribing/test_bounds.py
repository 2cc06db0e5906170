"""The bounds of a reader: an authority is charged only for proven bulletins, and rubbish is bounded."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from bus.admission.verdict import Judged, Refused, decide
from bus.errors import StoreError
from bus.keys.signatures import FileSigner, sign_entry
from bus.policy.rates import RateLimit
from bus.subscribing import inbox, tables
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


def placed(verdict: Judged | Refused, place: int) -> Judged | Refused:
    """The verdict of a message that stands elsewhere in its stream."""
    return msgspec.structs.replace(
        verdict, message=msgspec.structs.replace(verdict.message, stream_seq=place)
    )


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


EACH_SECOND = RateLimit(burst=10, per_s=1.0)


async def test_what_is_beyond_the_budget_is_taken_at_the_steady_rate(tmp_path: Path) -> None:
    """Ten at once, and after it one more with each second, in the order of the stream; never all the others together."""
    said = chain(WORLD, 40)
    verdicts = [placed(judged(each), place) for place, each in enumerate(said, 1)]
    async with Inbox.open(tmp_path / "s.db") as store:
        assert await take(store, Budget(EACH_SECOND), verdicts) == {"admitted": 10, "over_budget": 30}
        taken: list[str] = []
        for second in range(1, 31):
            now = NOW + dt.timedelta(seconds=second + 0.5)
            due = await store.due_future(now)
            await store.settle([decide(each, WORLD.registry, now) for each in due], None, None, now)
            taken += [each.digest for each in due]
            assert len(taken) == second
        assert taken == [each.digest for each in said[10:]]


async def test_what_waits_is_charged_once(tmp_path: Path) -> None:
    """Copies of what waits for its turn make nothing else wait longer."""
    said = [judged(each) for each in chain(WORLD, 12)]
    async with Inbox.open(tmp_path / "s.db") as store:
        budget = Budget(EACH_SECOND)
        await take(store, budget, said[:11])
        await take(store, budget, [said[10]] * 50)
        await take(store, budget, said[11:])
        rows = await store.query("SELECT retry_at FROM deferred ORDER BY retry_at")
        assert [round(row["retry_at"] - NOW.timestamp(), 3) for row in rows] == [1.0, 2.0]


async def test_one_moment_has_the_order_of_the_stream_beyond_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more are due than are judged at once."""
    monkeypatch.setattr(inbox, "AT_ONCE", 2)
    waiting = [placed(judged(each), 9 - place) for place, each in enumerate(chain(WORLD, 6))]
    async with Inbox.open(tmp_path / "s.db") as store:
        await store.write(lambda db: [tables.add_deferred(db, each.message, NOW) for each in waiting])
        assert [each.stream_seq for each in await store.due_future(NOW)] == [4, 5]


async def test_a_batch_that_the_disk_did_not_take_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is tried."""
    (mine,) = chain(WORLD, 1)

    def fails(*_: object) -> None:
        raise StoreError("full", reason="disk-full")

    async with Inbox.open(tmp_path / "s.db") as store:
        budget = Budget(ONE_EACH_CENTURY)
        with monkeypatch.context() as patch:
            patch.setattr(tables, "set_cursor", fails)
            for _ in range(5):
                with pytest.raises(StoreError):
                    await take(store, budget, [judged(mine)])
        assert await take(store, budget, [judged(mine)]) == {"admitted": 1}


async def test_a_refused_bulletin_that_is_proven_is_charged(tmp_path: Path) -> None:
    """An insider that publishes without permission uses up only its own budget."""
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
    """The newest stays; bulletins by unknown keys have their own bound; proven refusals are not dropped for them."""
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
    """This holds for a few large messages too."""
    (mine,) = chain(WORLD, 1)
    texts = (mine.subject, tables.as_json(forged(mine, 0).headers), "the signature does not verify")
    size = len(mine.payload) + sum(map(len, texts)) + tables.ROW_BYTES
    monkeypatch.setattr(tables, "MOST_UNPROVEN_BYTES", 3 * size + size // 2)
    async with Inbox.open(tmp_path / "s.db") as store:
        for number in range(9):
            await store.settle([judged(forged(mine, number))], None, None, NOW)
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM quarantine").fetchone()[0]) == 3


async def test_headers_that_are_not_ascii_are_counted_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in characters, of which each may be four bytes."""
    monkeypatch.setattr(tables, "MOST_UNPROVEN_BYTES", 100_000)
    (mine,) = chain(WORLD, 1)
    async with Inbox.open(tmp_path / "s.db") as store:
        for number in range(9):
            each = forged(mine, number)
            wide = msgspec.structs.replace(each, headers=(*each.headers, ("x", "\N{GRINNING FACE}" * 10_000)))
            await store.settle([judged(wide)], None, None, NOW)
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM quarantine").fetchone()[0]) == 2


async def test_one_more_costs_the_same_however_much_is_kept(tmp_path: Path) -> None:
    """SQLite takes as many steps for a refusal at a quarantine that is full as at one that has little."""
    (mine,) = chain(WORLD, 1)
    steps = {}
    async with Inbox.open(tmp_path / "s.db") as store:
        for kept in (20, 400):
            rubbish = [judged(forged(mine, number)) for number in range(kept)]
            await store.settle(rubbish, None, None, NOW)
            one = [judged(forged(mine, 1000 + kept))]

            def look(db: sqlite3.Connection, one: Sequence[Judged | Refused] = one) -> int:
                count = 0

                def step() -> int:
                    nonlocal count
                    count += 1
                    return 0

                db.set_progress_handler(step, 1)
                store._intake.settle(db, one, None, None, NOW)
                db.set_progress_handler(None, 0)
                return count

            steps[kept] = await store.write(look)
    assert steps[400] < 1.2 * steps[20]


async def test_what_is_kept_is_added_up_however_it_goes(tmp_path: Path) -> None:
    """The totals are those of the rows, after some were let in, judged again, or erased."""
    sums = (
        "SELECT count(*) AS messages, coalesce(sum(size), 0) AS bytes FROM quarantine WHERE channel IS NULL"
    )
    new = FileSigner.generate()
    stranger = received(sign(WORLD, bulletin(WORLD), by=new), 1)
    (mine,) = chain(WORLD, 1)
    async with Inbox.open(tmp_path / "s.db") as store:
        rubbish = [judged(forged(mine, number)) for number in range(5)]
        await store.settle([decide(stranger, WORLD.registry, NOW), *rubbish], None, None, NOW)
        await store.amend(listing(new), NOW)
        await store.execute("DELETE FROM quarantine WHERE n = 3")
        (rows,) = await store.query(sums)
        kept = await store.query(
            "SELECT sum(messages) AS messages, sum(bytes) AS bytes FROM quarantine_totals"
        )
        assert tuple(kept[0]) == tuple(rows)
        assert rows["messages"] == 4


async def test_one_proven_refusal_is_kept_once_whatever_headers_it_has(tmp_path: Path) -> None:
    """Anybody may add to the headers of a contradiction; its author is charged once, and one row is proof enough."""
    (mine,) = chain(WORLD, 1)
    fork = sign(WORLD, bulletin(WORLD, say=draft("something else")))
    variants = [
        judged(msgspec.structs.replace(fork, headers=(*fork.headers, ("ce-n", str(number)))))
        for number in range(50)
    ]
    async with Inbox.open(tmp_path / "s.db") as store:
        budget = Budget(RateLimit(burst=100, per_s=1e-6))
        await take(store, budget, [judged(mine)])
        assert await take(store, budget, variants) == {"refused": 1, "duplicate": 49}
        assert budget.meter("xa-csirt").room(NOW.timestamp()) == 98
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM quarantine").fetchone()[0]) == 1


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
    """Unknown keys push a bulletin out of quarantine: with the next version the streams are read again, once."""
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
    """The counts of the earlier clock are dropped: no authority waits for that moment to come again."""
    mine = chain(WORLD, 2)
    budget = Budget(RateLimit(burst=2, per_s=1.0))
    spent = Charges(budget, [NOW.timestamp()])
    for _ in range(2):
        assert spent.wait(0, "xa-csirt", NOW.timestamp()) is None
        spent.spend(0, "xa-csirt", NOW.timestamp())
    spent.commit()
    before = NOW - dt.timedelta(hours=1)
    moments = [NOW.timestamp()] * 2
    async with Inbox.open(tmp_path / "s.db") as store:
        found = await store.settle(
            [judged(each) for each in mine], STREAM, Cursor(), before, charges=Charges(budget, moments)
        )
    assert dict(found) == {"admitted": 2}

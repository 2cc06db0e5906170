"""A bulletin labelled `by-date` or `contested` is shown without any effect; when the label is removed, it takes effect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.delivery.ledger import TABLES, ReceiptLedger
from bus.hub import elections
from bus.hub.exchange import missing, receipt_queue
from bus.hub.picture.projection import Projection
from bus.hub.retention import erase_and_prune
from bus.keys.signatures import FileSigner
from bus.publishing import heartbeat
from bus.subscribing.contested import BY_DATE, CONTESTED, is_mute
from bus.subscribing.inbox import Inbox
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from bus.trust.rotation import add_key
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bodies.system import ChannelStatus, Head, HeldHead, Receipt, ReceiptItem, Request, Wanted
from schemas.parts import ElectionRef, PersonalData
from schemas.subject import Channel
from schemas.vocab import ChannelState, ElectionType, PersonalFlag, Phase, ReceiptStage, Status, Tlp
from tests.support.hubs import judged
from tests.support.outboxes import store_all
from tests.support.publishers import keeping
from tests.support.world import NOW, Message, bulletin, draft, key_record, shared_world, sign, signed_registry

WORLD = shared_world()
DAY = dt.timedelta(days=1)
GREEN = Channel(issuer="xa-csirt", status=Status.SYSTEM, tlp=Tlp.GREEN, audience="community")
FAR = 2**53 - 1


class Theft:
    """An authority with a stolen key and a reserve, which has ended the stolen one half a day ago."""

    def __init__(self, authority: str) -> None:
        self.authority, self.stolen, self.reserve = authority, WORLD.signers[authority], FileSigner.generate()
        document = ceremony.next_version(
            WORLD.registry.document, WORLD.registry.digest, NOW - 40 * DAY, 90 * DAY
        )
        document = add_key(document, authority, key_record(self.reserve))
        self.before: VerifiedRegistry = WORLD.registry.update(signed_registry(document, WORLD.roots), NOW)
        statement = new_statement(
            domain="test",
            authority=authority,
            kids=(self.stolen.kid,),
            since=NOW - DAY / 2,
            reason="key-compromise",
            signer=self.reserve,
            now=NOW,
        )
        self.ended = self.before.with_revocation(statement, NOW)

    def said(self, days: float, seq: int, prev: str | None, signer: FileSigner, **say: Any) -> Message:
        """A bulletin dated so many days ago."""
        made = bulletin(WORLD, self.authority, seq=seq, prev=prev, issued=NOW - days * DAY, say=draft(**say))
        return sign(WORLD, made, signer)


async def read(
    store: Inbox, messages: Iterable[Message], registry: VerifiedRegistry, now: dt.datetime
) -> None:
    """Take bulletins in one by one, as a reader with this registry does."""
    for each in messages:
        await store.settle([judged(each, registry, now)], None, None, now)
        await store.release(now + DAY)
        await store.amend(registry, now)


async def labelled(store: Inbox, label: str) -> int:
    """The number of bulletins with a label."""
    return len(await store.query("SELECT row FROM admitted WHERE instr(labels, ?)", f'"{label}"'))


def calendar(phase: Phase) -> dict[str, Any]:
    """A calendar of an election whose one window is open now."""
    window = PhaseWindow(phase=phase, start=NOW - DAY, end=NOW + DAY)
    return {
        "body": ElectionCalendar(windows=(window,), tz="Europe/Vienna"),
        "election": ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.CAMPAIGN),
    }


async def test_a_calendar_dated_back_moves_no_phase(tmp_path: Path) -> None:
    """It is shown; once a valid key goes on from it, its phase counts."""
    theft = Theft("xa-emb")
    honest = theft.said(20, 1, None, theft.stolen, **calendar(Phase.POLLING))
    forged = theft.said(8, 2, honest.digest, theft.stolen, **calendar(Phase.REVIEW))
    goes_on = theft.said(0, 3, forged.digest, theft.reserve)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:

        async def phase() -> str:
            (one,) = await store.read(lambda db: elections.elections(db, NOW))
            return one.phase

        await read(store, [honest], theft.before, NOW - 2 * DAY)
        await read(store, [forged], theft.ended, NOW)
        assert await labelled(store, BY_DATE) == 1
        assert len(await store.query("SELECT id FROM actual")) == 2
        assert await phase() == Phase.POLLING
        await store.rebuild()
        assert await phase() == Phase.POLLING
        await read(store, [goes_on], theft.ended, NOW)
        assert await labelled(store, BY_DATE) == 0
        assert await phase() == Phase.REVIEW


def beat(**changes: Any) -> dict[str, Any]:
    """A heartbeat of xa-csirt that announces and promises much."""
    say = heartbeat.draft(GREEN, (), 60, NOW)
    said = {
        "state": ChannelState.PLANNED_OUTAGE,
        "until": NOW + 10 * DAY,
        "heads": (Head(channel="actual.green.community", seq=FAR, digest="A" * 43),),
        "held": (HeldHead(channel="xb-csirt/actual.green.community", seq=FAR, digest="A" * 43),),
    }
    assert isinstance(say.body, ChannelStatus)
    body = msgspec.structs.replace(say.body, **{**said, **changes})
    return {"body": body, "status": say.status, "tlp": say.tlp, "audience": say.audience}


async def test_a_heartbeat_dated_back_says_nothing_of_its_channel(tmp_path: Path) -> None:
    """No sign of life, no head announced or held, no silence planned; nor when the picture is made anew."""
    theft = Theft("xa-csirt")
    forged = theft.said(8, 1, None, theft.stolen, **beat())
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [forged], theft.ended, NOW)
        assert await labelled(store, BY_DATE) == 1
        for _ in range(2):
            for table in ("channels", "outages", "announced_heads", "holdings"):
                assert await store.query(f"SELECT * FROM {table}") == []
            await store.rebuild()


async def test_a_receipt_dated_back_is_not_counted(tmp_path: Path) -> None:
    """Nor is a request heeded, in the author's own store or a hub's."""
    theft = Theft("xb-hub")
    to = {"status": Status.SYSTEM, "tlp": Tlp.GREEN, "audience": "xa-csirt"}
    async with keeping(tmp_path / "outbox.db", tables=TABLES) as (publisher, outbox):
        said = await publisher.publish(draft("said today"))
        (kept,) = await outbox.read(
            lambda db: [dict(row) for row in db.execute("SELECT seq, digest FROM outbox")]
        )
        await outbox.write(lambda db: store_all(db, 1.0))
        item = ReceiptItem(id=said.id, digest=kept["digest"], at=NOW)
        wanted = Wanted(channel="xa-csirt/actual.green.community", seq=kept["seq"], digest=None)
        receipt = Receipt(stage=ReceiptStage.VERIFIED, items=(item,))
        answered = theft.said(9, 1, None, theft.stolen, body=receipt, **to)
        asked = theft.said(8, 2, answered.digest, theft.stolen, body=Request(items=(wanted,)), **to)
        forged = [answered, asked]
        ledger = ReceiptLedger("xa-csirt", lambda: theft.ended)
        async with Inbox.open(tmp_path / "outbox.db", projector=ledger, hold_s=0) as store:
            await read(store, forged, theft.ended, NOW)
            assert await labelled(store, BY_DATE) == 2
            assert await store.query("SELECT * FROM receipts") == []
            assert await store.query("SELECT * FROM resent") == []
    async with Inbox.open(tmp_path / "hub.db", projector=Projection(), hold_s=0) as store:
        await read(store, forged, theft.ended, NOW)
        assert await store.read(lambda db: missing.said_to(db, "xa-csirt", 0, 100)) == []


async def test_an_exercise_dated_back_is_no_exercise(tmp_path: Path) -> None:
    """Until a valid key continues it, nobody has exercised."""
    theft = Theft("xa-emb")
    forged = theft.said(8, 1, None, theft.stolen, status=Status.EXERCISE, exercise_id="autumn")
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [forged], theft.ended, NOW)
        assert len(await store.query("SELECT row FROM exercise")) == 1
        assert await store.read(elections.last_exercises) == {}
        goes_on = theft.said(0, 2, forged.digest, theft.reserve, status=Status.EXERCISE, exercise_id="autumn")
        await read(store, [goes_on], theft.ended, NOW)
        assert await store.read(elections.last_exercises) == {"xa-emb": NOW}


async def test_what_is_dated_back_is_answered_when_it_takes_effect_and_not_before(tmp_path: Path) -> None:
    """Its receipt waits; where it is withdrawn, none is sent."""
    theft = Theft("xa-emb")
    forged = theft.said(8, 1, None, theft.stolen)
    granted = {(Tlp.GREEN, "xa-emb")}
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:

        async def answered() -> list[str]:
            await store.write(lambda db: receipt_queue.note(db, "xb-hub", NOW))
            due = await store.write(lambda db: receipt_queue.take_up(db, granted))
            batches = [await store.read(partial(receipt_queue.batch_of, which=each)) for each in due]
            return [item.digest for batch in batches for item in batch.items]

        await read(store, [forged], theft.ended, NOW)
        assert await answered() == []
        goes_on = theft.said(0, 2, forged.digest, theft.reserve)
        await read(store, [goes_on], theft.ended, NOW)
        assert await answered() == [forged.digest, goes_on.digest]


async def test_what_was_withdrawn_before_it_was_answered_is_not_answered(tmp_path: Path) -> None:
    """A forgery that fell with its key while its receipt waited."""
    theft = Theft("xa-emb")
    forged = theft.said(0.2, 1, None, theft.stolen)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [forged], theft.before, NOW)
        await store.write(lambda db: receipt_queue.note(db, "xb-hub", NOW))
        await store.amend(theft.ended, NOW)
        assert await store.query("SELECT row FROM admitted") == []
        assert await store.write(lambda db: receipt_queue.take_up(db, {(Tlp.GREEN, "xa-emb")})) == []
        assert await store.query("SELECT n FROM receipt_queue") == []


async def test_what_was_erased_before_it_was_answered_is_answered(tmp_path: Path) -> None:
    """The hub had it; that its bytes had to go changes nothing of that."""
    theft = Theft("xa-emb")
    data = PersonalData(
        flag=PersonalFlag.PERSONAL,
        lawful_basis="celex:32016R0679#6.1.e",
        purpose="p",
        retention_until=(NOW + DAY).date(),
    )
    said = theft.said(0, 1, None, theft.stolen, personal_data=data, expires=NOW + DAY)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [said], theft.before, NOW)
        await store.write(lambda db: receipt_queue.note(db, "xb-hub", NOW))
        await store.write(lambda db: erase_and_prune(db, NOW + 5 * DAY))
        assert await store.query("SELECT row FROM admitted") == []
        await store.write(lambda db: receipt_queue.note(db, "xb-hub", NOW))
        (which,) = await store.write(lambda db: receipt_queue.take_up(db, {(Tlp.GREEN, "xa-emb")}))
        batch = await store.read(lambda db: receipt_queue.batch_of(db, which))
        assert [item.digest for item in batch.items] == [said.digest]


async def test_what_is_contested_moves_no_phase_until_a_person_decides(tmp_path: Path) -> None:
    """The electoral authority contradicts itself, and says another phase."""
    theft = Theft("xa-emb")
    honest = theft.said(2, 1, None, theft.stolen, **calendar(Phase.POLLING))
    other = theft.said(2, 1, None, theft.stolen, text="another first")
    then = theft.said(1, 2, honest.digest, theft.stolen, **calendar(Phase.REVIEW))
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [honest, other, then], theft.before, NOW)
        assert await labelled(store, CONTESTED) == 1
        (before,) = await store.read(lambda db: elections.elections(db, NOW))
        channel = (await store.query("SELECT channel FROM admitted"))[0]["channel"]
        await store.decide(channel, "xb-hub", "looked at", NOW)
        (after,) = await store.read(lambda db: elections.elections(db, NOW))
        assert (before.phase, after.phase) == (Phase.POLLING, Phase.REVIEW)


@pytest.mark.parametrize(
    ("labels", "mute"), [((), False), (("late",), False), ((BY_DATE, "late"), True), ((CONTESTED,), True)]
)
def test_one_place_says_what_has_no_effect(labels: tuple[str, ...], mute: bool) -> None:
    """By the labels alone."""
    assert is_mute(labels) is mute

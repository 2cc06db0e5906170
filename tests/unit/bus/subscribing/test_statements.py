"""A stolen key that ends keys by statements: how far one signature reaches into what readers hold, and that all come to the same."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import TrustError
from bus.hub.picture.projection import Projection
from bus.keys.signatures import FileSigner, sign_entry
from bus.storage import insert
from bus.subscribing import contested, tables
from bus.subscribing.inbox import Inbox
from bus.subscribing.intake import Intake
from bus.subscribing.reassessment import Reassessment
from bus.trust import Ending, ceremony
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from bus.trust.rotation import add_key, revoke_keys
from schemas.envelope import SIG_HEADER, format_header
from schemas.parts import Ref
from schemas.registry import STATEMENT_REACH_DAYS
from schemas.vocab import MsgType, RefRel
from tests.support.held import hold
from tests.support.hubs import judged
from tests.support.world import (
    NOW,
    Message,
    bulletin,
    draft,
    key_record,
    shared_world,
    sign,
    signed_registry,
    within,
)

WORLD = shared_world()
DAY = dt.timedelta(days=1)
STOLEN = WORLD.signers["xa-csirt"]
RESERVE, NEW = FileSigner.generate(), FileSigner.generate()
CHANNEL = "xa-csirt/actual.green.community"
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def following(held: VerifiedRegistry, **revoked: dt.datetime) -> VerifiedRegistry:
    """The next version, in which xa-csirt has a new key and the stolen one is revoked since then."""
    document = ceremony.next_version(held.document, held.digest, NOW, 90 * DAY)
    document = add_key(document, "xa-csirt", key_record(NEW))
    for moment in revoked.values():
        document = revoke_keys(
            document, "xa-csirt", [STOLEN.kid, RESERVE.kid], since=moment, reason="key-compromise", now=NOW
        )
    return held.update(signed_registry(document, WORLD.roots), NOW)


def _with_reserve() -> VerifiedRegistry:
    document = ceremony.next_version(WORLD.registry.document, WORLD.registry.digest, NOW - 40 * DAY, 90 * DAY)
    document = add_key(document, "xa-csirt", key_record(RESERVE))
    return WORLD.registry.update(signed_registry(document, WORLD.roots), NOW)


TWO_KEYS = _with_reserve()


def ends(*kids: str, by: FileSigner, since: dt.datetime, issued: dt.datetime = NOW) -> bytes:
    """A statement of xa-csirt."""
    return new_statement(
        domain="test",
        authority="xa-csirt",
        kids=kids,
        since=since,
        reason="superseded",
        signer=by,
        now=issued,
    )


def said(
    before: Message | None, days: float, text: str, by: FileSigner = STOLEN, **changes: object
) -> Message:
    """The next bulletin of a chain, dated so many days before now."""
    seq, prev = (1, None) if before is None else (before.bulletin.seq + 1, before.digest)
    made = bulletin(WORLD, seq=seq, prev=prev, issued=NOW - days * DAY, say=draft(text, **changes))
    return sign(WORLD, made, by)


def _history() -> list[Message]:
    chain: list[Message] = []
    for days in range(28, 0, -3):
        chain.append(said(chain[-1] if chain else None, days, f"{days} days ago"))
    return chain


HONEST = _history()
OLD = [each for each in HONEST if each.bulletin.issued < NOW - STATEMENT_REACH_DAYS * DAY]
RECENT = HONEST[len(OLD) :]
THIEFS = ends(STOLEN.kid, RESERVE.kid, by=STOLEN, since=LONG_AGO)
ERASED = TWO_KEYS.with_revocation(THIEFS, NOW)


async def read(
    store: Inbox, messages: Iterable[Message], registry: VerifiedRegistry, now: dt.datetime
) -> None:
    """Take bulletins in one by one, as a reader with this registry does."""
    for each in messages:
        await store.settle([judged(each, registry, now)], None, None, now)
        await store.amend(registry, now)


async def shown(store: Inbox) -> list[str]:
    """The digests of what is admitted, by number."""
    sql = "SELECT digest FROM admitted WHERE channel = ? ORDER BY seq"
    return [row["digest"] for row in await store.query(sql, CHANNEL)]


async def in_force(store: Inbox) -> list[str]:
    """The ids of what is in the picture and not withdrawn."""
    return [
        row["id"] for row in await store.query("SELECT id FROM actual WHERE ended_by IS NULL ORDER BY id")
    ]


def digests(messages: Iterable[Message]) -> list[str]:
    """Their digests."""
    return [each.digest for each in messages]


async def test_a_thief_who_is_first_takes_seven_days_and_no_more(tmp_path: Path) -> None:
    """He ends the stolen key and the reserve since long ago; what is older stays, with all that it did."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, HONEST, TWO_KEYS, NOW - DAY)
        assert await store.amend(ERASED, NOW) == {"withdrawn": len(RECENT)}
        assert await shown(store) == digests(OLD)
        assert len(OLD) > len(RECENT) > 0


@settings(max_examples=40)
@given(st.permutations(HONEST), st.integers(0, len(HONEST)))
def test_every_reader_comes_to_the_same_whatever_it_received_when(
    order: list[Message], known_from: int
) -> None:
    """The thief's statement before, among or after the bulletins, in any order; and all heal alike."""

    async def work(path: Path) -> None:
        async with Inbox.open(path, projector=Projection(), hold_s=0) as store:
            await read(store, order[:known_from], TWO_KEYS, NOW)
            await read(store, order[known_from:], ERASED, NOW)
            await store.release(NOW + DAY)
            await store.amend(ERASED, NOW)
            assert await shown(store) == digests(OLD)
            healed = following(ERASED, since=NOW - DAY / 2)
            anchor = said(HONEST[-1], 0, "we go on with a new key", NEW)
            await read(store, [anchor], healed, NOW)
            assert await shown(store) == digests([*HONEST, anchor])
            labels = await store.query("SELECT labels FROM admitted WHERE instr(labels, 'by-date')")
            assert labels == []

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "s.db"))


async def test_an_owner_who_is_first_ends_the_thief_and_keeps_the_reserve(tmp_path: Path) -> None:
    """The thief's key says nothing more; what he said since the theft falls; the reserve goes on at once."""
    owners = ends(STOLEN.kid, by=RESERVE, since=NOW - DAY / 2)
    ended = TWO_KEYS.with_revocation(owners, NOW)
    with pytest.raises(TrustError) as refused:
        ended.with_revocation(THIEFS, NOW)
    assert refused.value.reason == "key-revoked"
    forged = said(HONEST[-1], 0.2, "withdrawn, says the thief")
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [*HONEST, forged], TWO_KEYS, NOW)
        await store.amend(ended, NOW)
        assert await shown(store) == digests(HONEST)
        goes_on = said(HONEST[-1], 0, "we go on with the reserve", RESERVE)
        await read(store, [goes_on], ended, NOW)
        assert await shown(store) == digests([*HONEST, goes_on])


async def test_who_heard_thief_and_owner_in_another_order_agrees_once_the_registry_has_spoken(
    tmp_path: Path,
) -> None:
    """Of two keys that revoke each other the first statement received counts, until the registry (m of n) decides."""
    owners = ends(STOLEN.kid, by=RESERVE, since=NOW - DAY / 2)
    anchor = said(HONEST[-1], 0, "we go on with a new key", NEW)
    found = []
    for n, order in enumerate(((owners, THIEFS), (THIEFS, owners))):
        registry = TWO_KEYS
        for raw in order:
            try:
                registry = registry.with_revocation(raw, NOW)
            except TrustError as exc:
                assert exc.reason == "key-revoked"
        async with Inbox.open(tmp_path / f"{n}.db", projector=Projection(), hold_s=0) as store:
            await read(store, HONEST, TWO_KEYS, NOW)
            await store.amend(registry, NOW)
            await read(store, [anchor], following(registry, since=NOW - DAY / 2), NOW)
            found.append((await shown(store), await in_force(store)))
    assert found[0] == found[1]
    assert len(found[0][0]) == len(HONEST) + 1


async def test_what_a_thief_dates_back_withdraws_nothing_and_falls_when_the_owner_goes_on(
    tmp_path: Path,
) -> None:
    """On a channel that was quiet nothing but its date speaks for it: it is labelled, and has no effect."""
    ended = TWO_KEYS.with_revocation(ends(STOLEN.kid, by=RESERVE, since=NOW - DAY / 2), NOW)
    target = Ref(id=OLD[0].bulletin.id, rel=RefRel.CANCELS)
    forged = said(OLD[-1], 8, "all is well", msg_type=MsgType.CANCEL, references=(target,))
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, OLD, TWO_KEYS, NOW - DAY)
        await read(store, [forged], ended, NOW)
        assert await shown(store) == digests([*OLD, forged])
        assert OLD[0].bulletin.id in await in_force(store)
        labels = await store.query("SELECT digest FROM admitted WHERE instr(labels, 'by-date')")
        assert [row["digest"] for row in labels] == [forged.digest]
        goes_on = said(OLD[-1], 0, "we go on with the reserve", RESERVE)
        await read(store, [goes_on], ended, NOW)
        await store.amend(ended, NOW)
        assert await shown(store) == digests([*OLD, goes_on])


async def test_what_stood_by_its_date_takes_effect_when_a_valid_key_continues_it(tmp_path: Path) -> None:
    """A reader that heard the statement first ends with the picture of one that heard it last."""
    target = Ref(id=OLD[0].bulletin.id, rel=RefRel.CANCELS)
    cancel = said(OLD[-1], 8, "not so after all", msg_type=MsgType.CANCEL, references=(target,))
    ended = TWO_KEYS.with_revocation(ends(STOLEN.kid, by=RESERVE, since=NOW - DAY / 2), NOW)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [*OLD, cancel], ended, NOW)
        assert OLD[0].bulletin.id in await in_force(store)
        await read(store, [said(cancel, 0, "we go on", RESERVE)], ended, NOW)
        assert OLD[0].bulletin.id not in await in_force(store)
        assert await store.query("SELECT 1 FROM admitted WHERE instr(labels, 'by-date')") == []
        again = await in_force(store)
        await store.rebuild()
        assert await in_force(store) == again


@pytest.mark.parametrize("back", [0, 1, 6.9])
async def test_a_statement_dated_back_reaches_fourteen_days_at_most(tmp_path: Path, back: float) -> None:
    """Seven before its own time, and it is not heard when that is more than seven days ago."""
    raw = ends(STOLEN.kid, by=STOLEN, since=LONG_AGO, issued=NOW - back * DAY)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, HONEST, TWO_KEYS, NOW - DAY)
        await store.amend(TWO_KEYS.with_revocation(raw, NOW), NOW)
        left = [each for each in HONEST if each.bulletin.issued < NOW - (back + 7) * DAY]
        assert await shown(store) == digests(left)
    with pytest.raises(TrustError) as refused:
        TWO_KEYS.with_revocation(ends(STOLEN.kid, by=STOLEN, since=LONG_AGO, issued=NOW - 7.01 * DAY), NOW)
    assert refused.value.reason == "too-old"


async def test_only_the_registry_reaches_further_back(tmp_path: Path) -> None:
    """A bulletin by a key that the registry revokes since a month ago falls if it was received since, with any date."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, HONEST, TWO_KEYS, NOW - DAY)
        await store.amend(following(ERASED, since=NOW - 30 * DAY), NOW)
        assert await shown(store) == []


async def test_a_key_that_the_registry_dropped_after_revoking_it_stays_ended(tmp_path: Path) -> None:
    """Nothing of it stands again, and nothing is undone, when it is no longer listed."""
    forged = said(HONEST[-1], 0.2, "says the thief")
    revoked = following(TWO_KEYS, since=NOW - DAY / 2)
    document = ceremony.next_version(revoked.document, revoked.digest, NOW, 90 * DAY)
    mine = document.authorities["xa-csirt"]
    keys = {kid: each for kid, each in mine.keys.items() if kid == NEW.kid}
    authorities = {**document.authorities, "xa-csirt": msgspec.structs.replace(mine, keys=keys)}
    dropped = revoked.update(
        signed_registry(msgspec.structs.replace(document, authorities=authorities), WORLD.roots), NOW
    )
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, HONEST, TWO_KEYS, NOW - DAY)
        await read(store, [forged], TWO_KEYS, NOW)
        for registry in (revoked, dropped):
            await store.amend(registry, NOW)
            assert await shown(store) == digests(HONEST)


# -- another stolen key, which is still valid -------------------------------------------------------------------------

BY_RESERVE = TWO_KEYS.with_revocation(ends(STOLEN.kid, by=RESERVE, since=LONG_AGO), NOW)
"""The thief has the reserve alone, and ends the main key with it."""


async def rows(store: Inbox, reason: str) -> list[str]:
    """The digests of what is in quarantine for a reason, by number."""
    found = await store.query("SELECT digest FROM quarantine WHERE reason = ? ORDER BY seq, n", reason)
    return [row["digest"] for row in found]


@pytest.mark.parametrize("at", [0, 3, 6])
@pytest.mark.parametrize("fork_first", [False, True])
async def test_a_fork_by_another_stolen_key_takes_nothing_that_was_had_before(
    tmp_path: Path, at: int, fork_first: bool
) -> None:
    """Wherever he puts it and whatever comes first; it is a contradiction, and what he withdraws has no effect."""
    target = Ref(id=OLD[0].bulletin.id, rel=RefRel.CANCELS)
    changes = {"msg_type": MsgType.CANCEL, "references": (target,)} if at else {}
    fork = said(OLD[at - 1] if at else None, 0, "says the thief", RESERVE, **changes)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, HONEST, TWO_KEYS, NOW - DAY)
        await read(store, [fork], TWO_KEYS if fork_first else BY_RESERVE, NOW)
        await store.amend(BY_RESERVE, NOW)
        assert await shown(store) == digests(OLD)
        assert await rows(store, "fork") == [fork.digest]
        assert OLD[0].bulletin.id in await in_force(store)
        after = said(fork, 0, "and on", RESERVE)
        await read(store, [after], BY_RESERVE, NOW)
        await store.release(NOW + DAY)
        await store.amend(BY_RESERVE, NOW)
        assert await shown(store) == digests(OLD)


@pytest.mark.parametrize("fork_first", [False, True])
async def test_who_comes_later_is_shown_a_contradiction_and_the_registry_ends_it(
    tmp_path: Path, fork_first: bool
) -> None:
    """It cannot know which came first. Neither takes the other's place, and the rest of the history stands."""
    fork = said(None, 0, "says the thief", RESERVE)
    order = [fork, *HONEST] if fork_first else [*HONEST, fork]
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, order, BY_RESERVE, NOW)
        assert await shown(store) == digests([fork, *OLD[2:]] if fork_first else OLD)
        assert await rows(store, "fork") == digests([OLD[0]] if fork_first else [fork])
        assert await store.read(contested.undecided) == {CHANNEL: 1}
        healed = following(BY_RESERVE, since=NOW - DAY / 2)
        anchor = said(HONEST[-1], 0, "we go on with a new key", NEW)
        await read(store, [anchor], healed, NOW)
        assert await shown(store) == digests([*HONEST, anchor])
        assert await store.read(contested.undecided) == {}


# -- dating back ------------------------------------------------------------------------------------------------------

BY_OWNER = TWO_KEYS.with_revocation(ends(STOLEN.kid, by=RESERVE, since=NOW - DAY / 2), NOW)


async def test_dating_back_beyond_a_hole_shows_nothing(tmp_path: Path) -> None:
    """On a busy channel a thief cannot step over the honest ones; nor is the place kept from the owner."""
    made = bulletin(WORLD, seq=len(HONEST) + 2, prev="A" * 43, issued=NOW - 8 * DAY, say=draft("all is well"))
    forged = sign(WORLD, made, STOLEN)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, HONEST, TWO_KEYS, NOW - DAY)
        await read(store, [forged], BY_OWNER, NOW)
        await store.release(NOW + DAY)
        await store.amend(BY_OWNER, NOW)
        assert await shown(store) == digests(HONEST)
        assert await rows(store, "key-revoked") == [forged.digest]
        goes_on = [said(HONEST[-1], 0, "we go on", RESERVE)]
        goes_on.append(said(goes_on[0], 0, "and on", RESERVE))
        await read(store, goes_on, BY_OWNER, NOW)
        assert await shown(store) == digests([*HONEST, *goes_on])


async def test_what_waited_beyond_a_hole_stands_by_its_date_once_a_valid_key_fills_it(tmp_path: Path) -> None:
    """History is shown whatever of it comes first."""
    first = said(None, 20, "by the reserve", RESERVE)
    second = said(first, 19, "by the key that ended")
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [second], BY_OWNER, NOW)
        assert await shown(store) == []
        await read(store, [first], BY_OWNER, NOW)
        assert await shown(store) == digests([first, second])


@pytest.mark.parametrize("turned", [False, True])
async def test_two_dated_back_at_one_place_are_a_contradiction_until_a_valid_key_goes_on(
    tmp_path: Path, turned: bool
) -> None:
    """Whichever comes first, both are kept, and none is preferred in silence."""
    forged = [said(OLD[-1], 8, "one"), said(OLD[-1], 8, "other")][:: -1 if turned else 1]
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, OLD, TWO_KEYS, NOW - DAY)
        await read(store, forged, BY_OWNER, NOW)
        assert await shown(store) == digests([*OLD, forged[0]])
        assert await rows(store, "fork") == [forged[1].digest]
        assert await store.read(contested.undecided) == {CHANNEL: 1}
        goes_on = said(OLD[-1], 0, "we go on with the reserve", RESERVE)
        await read(store, [goes_on], BY_OWNER, NOW)
        await store.amend(BY_OWNER, NOW)
        assert await shown(store) == digests([*OLD, goes_on])
        assert await store.read(contested.undecided) == {}


# -- what a statement or a signature changes of what others decided ---------------------------------------------------


@pytest.mark.parametrize("copied", [False, True])
async def test_the_registry_undoes_a_false_statement_for_what_was_received_in_time(
    tmp_path: Path, copied: bool
) -> None:
    """A quarantined bulletin keeps the time of its first receipt, also if it comes again."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        for each in HONEST:
            await read(store, [each], TWO_KEYS, each.bulletin.issued)
        if copied:
            await store.settle([judged(each, ERASED, NOW) for each in HONEST], None, None, NOW)
        await store.amend(ERASED, NOW)
        assert await shown(store) == digests(OLD)
        await store.amend(following(ERASED, since=NOW - DAY / 24), NOW)
        assert await shown(store) == digests(HONEST)
        again = await store.query("SELECT min(received_at), max(received_at) FROM links")
        times = [each.bulletin.issued.timestamp() for each in HONEST]
        assert tuple(again[0]) == (times[0], times[-1])


async def test_what_waits_for_its_predecessor_keeps_its_time_when_it_is_set_aside(tmp_path: Path) -> None:
    """A false statement takes it, the registry gives it back."""
    *before, missing, last = HONEST
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=9e9) as store:
        await read(store, [*before, last], TWO_KEYS, NOW - DAY)
        await store.amend(ERASED, NOW)
        assert last.digest in await rows(store, "key-revoked")
        await read(store, [missing], following(ERASED, since=NOW - DAY / 24), NOW - DAY / 2)
        await store.amend(following(ERASED, since=NOW - DAY / 24), NOW)
        assert await shown(store) == digests(HONEST)


@pytest.mark.parametrize("resent", [False, True])
async def test_a_signature_added_with_a_stolen_key_ties_nothing_to_it(tmp_path: Path, resent: bool) -> None:
    """A copy with one signature more came first. What the reserve said stays when the stolen key is ended."""
    first = said(None, 0.3, "by the reserve", RESERVE)
    honest = [first, said(first, 0.2, "and on", RESERVE)]
    copies = []
    for each in honest:
        extra = format_header((sign_entry(STOLEN, each.payload, within()),))
        headers = tuple(
            (name, f"{value},{extra}" if name == SIG_HEADER else value) for name, value in each.headers
        )
        copies.append(msgspec.structs.replace(each, headers=headers))
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, copies, TWO_KEYS, NOW)
        await store.amend(BY_OWNER, NOW)
        await read(store, honest if resent else [], BY_OWNER, NOW)
        assert await shown(store) == digests(honest)
        assert await store.query("SELECT 1 FROM admitted WHERE instr(labels, 'continued')") == []


@pytest.mark.parametrize("over", [False, True])
async def test_a_statement_about_one_of_two_keys_opens_nothing_that_was_closed_for_the_other(
    tmp_path: Path, over: bool
) -> None:
    """The registry has ended one key, or its window is over. With both keys a thief ends the other, and dates back."""
    other = FileSigner.generate("ES256")
    document = ceremony.next_version(WORLD.registry.document, WORLD.registry.digest, NOW - 40 * DAY, 90 * DAY)
    document = add_key(document, "xa-csirt", key_record(other))
    had = msgspec.structs.replace(document.authorities["xa-csirt"], require=(STOLEN.alg, other.alg))
    document = msgspec.structs.replace(document, authorities={**document.authorities, "xa-csirt": had})
    hybrid = WORLD.registry.update(signed_registry(document, WORLD.roots), NOW)
    document = ceremony.next_version(hybrid.document, hybrid.digest, NOW, 90 * DAY)
    if over:
        record = msgspec.structs.replace(had.keys[STOLEN.kid], not_after=NOW - DAY)
        had = msgspec.structs.replace(had, keys={**had.keys, STOLEN.kid: record})
        document = msgspec.structs.replace(document, authorities={**document.authorities, "xa-csirt": had})
    else:
        document = revoke_keys(
            document, "xa-csirt", [STOLEN.kid], since=NOW - DAY, reason="key-compromise", now=NOW
        )
    closed = hybrid.update(signed_registry(document, WORLD.roots), NOW)

    def by_both(before: Message | None, days: float) -> Message:
        one = said(before, days, f"{days} days ago")
        value = format_header([sign_entry(key, one.payload, within()) for key in (STOLEN, other)])
        return msgspec.structs.replace(one, headers=((SIG_HEADER, value), *one.headers[1:]))

    honest = by_both(None, 20)
    forged = by_both(honest, 8)
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await read(store, [honest], hybrid, NOW - 2 * DAY)
        await read(store, [forged], closed, NOW)
        assert await shown(store) == digests([honest])
        await store.amend(closed.with_revocation(ends(other.kid, by=other, since=LONG_AGO), NOW), NOW)
        assert await shown(store) == digests([honest])


# -- the work of a ruling ---------------------------------------------------------------------------------------------


class Ended(msgspec.Struct):
    """As much of a registry as a ruling asks for."""

    kids: dict[str, Ending]

    def ended(self, _: dt.datetime) -> dict[str, Ending]:
        """How each key ended."""
        return self.kids

    def key(self, _: str) -> None:
        """None is listed."""

    def speaker(self, _: str) -> object:
        """Nobody is listed."""
        raise TrustError("nobody", reason="unknown-authority")


def ruled(quarantined: int, ended: int) -> tuple[int, set[str]]:
    """How many statements a ruling runs, beside noting what ended and what falls, and the columns of the quarantine that it reads."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.executescript(tables.SCHEMA)
    hold(db, CHANNEL, 1, "a", kids="valid")
    for n in range(quarantined):
        row = {
            "at": 0,
            "reason": "key-revoked",
            "detail": "",
            "subject": "",
            "headers": "[]",
            "payload": b"{}",
            "variant": "",
            "size": 0,
        }
        place = {"digest": f"{n}", "channel": CHANNEL, "seq": 2, "id": f"{n}", "prev": "x", "kids": "kid-0"}
        insert(db, "quarantine", row | place)
    asked: list[str] = []
    columns: set[str] = set()

    def reads(action: int, table: str | None, column: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table == "quarantine" and column is not None:
            columns.add(column)
        return sqlite3.SQLITE_OK

    registry = Ended({f"kid-{n}": Ending(since=NOW, by_statement=True) for n in range(ended)})
    work = Reassessment(Intake(None, 0), registry, NOW)  # type: ignore[arg-type]
    db.set_authorizer(reads)
    db.set_trace_callback(asked.append)
    work.rule(db)
    noted = ("REPLACE INTO ended_keys", "INSERT INTO voided")
    return sum(not each.startswith(noted) for each in asked), columns


def test_a_ruling_reads_no_bytes_of_what_stays_in_quarantine() -> None:
    """However much an ended key has put there; nor does it ask once for each."""
    few, many = ruled(1, 1), ruled(50, 1)
    assert few == many
    assert "issued" in few[1]
    assert "payload" not in few[1]


def test_what_ended_keys_have_said_is_looked_for_once_however_many_have_ended() -> None:
    """A version that ends every key of an authority costs no more questions than one that ends one."""
    assert ruled(3, 1) == ruled(3, 400)

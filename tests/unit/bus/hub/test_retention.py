"""Deletion in a store: bulletins past their last day and old messages of programs; nothing else, and no place."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.cli.frame.app import App
from bus.hub.exchange.signed_files import contradictions
from bus.hub.picture import trace
from bus.hub.picture.projection import Projection
from bus.hub.retention import LetGo, erase_and_prune
from bus.hub.scrub import damaged
from bus.hub.watch.watch import look_at
from bus.publishing import heartbeat
from bus.subscribing import erasure
from bus.subscribing.inbox import Inbox
from schemas.bodies.system import Head
from schemas.bulletin import Draft
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, Entry, Header, b64u, format_header, signing_input
from schemas.parts import Handling, PersonalData, Ref
from schemas.subject import Channel
from schemas.vocab import MsgType, PersonalFlag, RefRel, Status, Tlp
from tests.support.hubs import hub_desk, judged, store_of, take_in
from tests.support.world import NOW, Message, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
LAST_DAY = NOW.date() + dt.timedelta(days=10)
THAT_EVENING = dt.datetime.combine(LAST_DAY, dt.time(23, 59), dt.UTC)
THE_DAY_AFTER = THAT_EVENING + dt.timedelta(minutes=1)
PERSONAL = PersonalData(
    flag=PersonalFlag.PERSONAL, lawful_basis="celex:32016R0679#6.1.e", purpose="p", retention_until=LAST_DAY
)


def about(text: str, data: PersonalData = PERSONAL, **changes: Any) -> Draft:
    """A draft with personal data, which expires a few days before that may be kept no longer."""
    return draft(text, personal_data=data, expires=NOW + dt.timedelta(days=5), **changes)


ABOUT = sign(WORLD, bulletin(WORLD, say=about("About the account of NADIR-EXAMPLE-19")))
NEXT = sign(WORLD, bulletin(WORLD, say=draft("about nobody"), seq=2, prev=ABOUT.digest))
GREEN = Channel(issuer="xa-csirt", status=Status.SYSTEM, tlp=Tlp.GREEN, audience="community")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Inbox]:
    """A hub's store with nothing in it."""
    async with Inbox.open(tmp_path / "store.db", projector=Projection(), hold_s=0.0) as store:
        yield store


async def take(store: Inbox, *messages: Message, now: dt.datetime = NOW) -> dict[str, int]:
    """Take in messages as from the bus. Returns their outcomes."""
    counts = await store.settle([judged(each, WORLD.registry, now) for each in messages], None, None, now)
    await store.release(now)
    return dict(counts)


async def let(store: Inbox, now: dt.datetime) -> LetGo:
    """Let go of what is to go."""
    return await store.write(lambda db: erase_and_prune(db, now))


async def kept(store: Inbox) -> list[str]:
    """The digests of what the store still has."""
    return await store.read(
        lambda db: [row[0] for row in db.execute("SELECT digest FROM admitted ORDER BY row")]
    )


async def test_it_goes_when_its_last_day_is_over_and_its_place_stays(store: Inbox) -> None:
    """Not a minute before; then the chain is whole, nothing is damaged, it is recognised when it comes again, and named."""
    await take(store, ABOUT, NEXT)
    assert await let(store, THAT_EVENING) == LetGo(erased=0, pruned=0)
    assert await store.write(lambda db: erase_and_prune(db, THE_DAY_AFTER, rehearse=True)) == LetGo(
        erased=1, pruned=0
    )
    assert await kept(store) == [ABOUT.digest, NEXT.digest]
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=1, pruned=0)
    assert await kept(store) == [NEXT.digest]
    assert await store.read(lambda db: list(damaged(db, WORLD.registry))) == []
    assert await take(store, ABOUT, now=THE_DAY_AFTER) == {"duplicate": 1}
    shown = await store.read(lambda db: db.execute("SELECT id FROM actual").fetchall())
    assert [row["id"] for row in shown] == [NEXT.bulletin.id]
    steps = await store.read(lambda db: trace.of_store(db, ABOUT.bulletin.id))
    assert [(step.what, step.at) for step in steps] == [("erased", THE_DAY_AFTER)]
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=0, pruned=0)


async def test_the_days_that_its_author_gives_it_end_it_too(store: Inbox) -> None:
    """Without personal data; it is kept to the end of the last of them, and its place, digest and reason stay."""
    says = draft("for ten days", handling=Handling(retention_days=10), expires=NOW + dt.timedelta(days=5))
    short = sign(WORLD, bulletin(WORLD, say=says))
    after = sign(WORLD, bulletin(WORLD, say=draft("for good"), seq=2, prev=short.digest))
    await take(store, short, after)
    assert await let(store, THAT_EVENING) == LetGo(erased=0, pruned=0)
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=1, pruned=0)
    assert await kept(store) == [after.digest]
    assert await store.read(lambda db: list(damaged(db, WORLD.registry))) == []
    gone = await store.read(lambda db: erasure.of(db, short.digest))
    assert gone is not None
    assert (gone.seq, gone.why) == (1, erasure.RETENTION)
    assert await take(store, short, now=THE_DAY_AFTER) == {"duplicate": 1}


async def test_what_is_refused_goes_by_the_same_days(store: Inbox) -> None:
    """Its bytes leave quarantine, its row stays."""
    says = draft("refused", handling=Handling(retention_days=10), expires=NOW + dt.timedelta(days=5))
    wrong = sign(WORLD, bulletin(WORLD, say=says, seq=2, prev=None))
    await take(store, wrong)
    sql = "SELECT length(payload) FROM quarantine"
    assert await store.read(lambda db: db.execute(sql).fetchone()[0]) > 0
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=1, pruned=0)
    assert await store.read(lambda db: db.execute(sql).fetchone()[0]) == 0


async def test_no_byte_of_it_is_left_in_the_file(tmp_path: Path) -> None:
    """Neither in a page that was freed nor in the log, admitted or refused."""
    path = tmp_path / "store.db"
    other = sign(WORLD, bulletin(WORLD, say=about("NADIR-EXAMPLE-19 once more")))
    async with Inbox.open(path, projector=Projection(), hold_s=0.0) as store:
        await take(store, ABOUT, other, NEXT)
    assert b"NADIR-EXAMPLE-19" in path.read_bytes()
    async with Inbox.open(path, projector=Projection(), hold_s=0.0) as store:
        await store.decide("xa-csirt/actual.green.community", "xb-hub", "looked at", NOW)
        assert await let(store, THE_DAY_AFTER) == LetGo(erased=2, pruned=0)
    left = [file.read_bytes() for file in tmp_path.iterdir()]  # noqa: ASYNC240 (nothing else runs here)
    assert [b"NADIR-EXAMPLE-19" in each for each in left] == [False]


async def test_no_byte_of_its_certificate_is_left_in_the_file(tmp_path: Path) -> None:
    """Which may name a person, and stands at the beginning of its signature."""
    signer = WORLD.signers["xa-csirt"]
    header = Header(
        alg=signer.alg,
        kid=signer.kid,
        typ=TYP_BULLETIN,
        domain=WORLD.registry.domain,
        iat=int(ABOUT.bulletin.issued.timestamp()),
        x5c=("NADIR-EXAMPLE-19-SIGNS" * 100,),
    )
    protected = b64u(msgspec.json.encode(header))
    entry = Entry(
        protected=protected, signature=signer.sign(signing_input(protected, ABOUT.payload)), header=header
    )
    value = format_header((entry,))
    sealed = msgspec.structs.replace(ABOUT, headers=tuple({**dict(ABOUT.headers), SIG_HEADER: value}.items()))
    part = protected[400:500].encode()
    path = tmp_path / "store.db"
    async with Inbox.open(path, projector=Projection(), hold_s=0.0) as store:
        assert await take(store, sealed, NEXT) == {"admitted": 2}
    assert part in path.read_bytes()
    async with Inbox.open(path, projector=Projection(), hold_s=0.0) as store:
        assert await let(store, THE_DAY_AFTER) == LetGo(erased=1, pruned=0)
    assert part not in path.read_bytes()


async def test_proof_outlives_the_retention_that_the_accused_has_set(store: Inbox) -> None:
    """Until a person has decided, both words stay; of what is in quarantine then place, digest and reason."""
    other = sign(WORLD, bulletin(WORLD, say=about("another number 1")))
    await take(store, ABOUT, other)
    channel = "xa-csirt/actual.green.community"
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=0, pruned=0)
    assert len(await store.read(lambda db: list(contradictions(db, channel)))) == 1
    await store.decide(channel, "xb-hub", "looked at", THE_DAY_AFTER)
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=2, pruned=0)
    assert await store.read(lambda db: list(contradictions(db, channel))) == []
    row = await store.read(lambda db: db.execute("SELECT * FROM quarantine").fetchone())
    assert (row["reason"], row["digest"], row["payload"]) == ("fork", other.digest, b"")
    assert await take(store, other, now=THE_DAY_AFTER) == {"duplicate": 1}
    await store.amend(WORLD.registry, THE_DAY_AFTER)


async def test_what_a_heartbeat_contradicts_outlives_its_retention(store: Inbox) -> None:
    """The proof is the bulletin that is held and the heartbeat that names another one in its place; neither goes."""
    channel = Channel.parse("xa-csirt/actual.green.community")
    await take(store, ABOUT)
    system = Channel(issuer="xa-csirt", status=Status.SYSTEM, tlp=Tlp.GREEN, audience="community")
    head = Head(channel=channel.name, seq=1, digest="A" * 43)
    beat = sign(WORLD, bulletin(WORLD, say=heartbeat.draft(system, (head,), 60, NOW)))
    await take(store, beat)
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=0, pruned=0)
    assert len(await store.read(lambda db: list(contradictions(db, str(channel))))) == 1


async def test_what_it_has_ended_stays_ended(store: Inbox) -> None:
    """An update with personal data goes; what it superseded does not come back, made anew either."""
    first = chain(WORLD, 1)[0]
    ref = Ref(id=first.bulletin.id, rel=RefRel.SUPERSEDES)
    said = about("more of it", msg_type=MsgType.UPDATE, references=(ref,))
    update = sign(WORLD, bulletin(WORLD, say=said, seq=2, prev=first.digest))
    await take(store, first, update)
    await let(store, THE_DAY_AFTER)
    for _ in range(2):
        rows = await store.read(lambda db: db.execute("SELECT id, ended_how FROM actual").fetchall())
        assert [tuple(row) for row in rows] == [(first.bulletin.id, "superseded")]
        await store.rebuild()
    steps = await store.read(lambda db: trace.of_store(db, first.bulletin.id))
    assert [(step.what, step.at) for step in steps[2:]] == [("superseded", THE_DAY_AFTER)]


async def test_what_is_not_flagged_as_personal_has_no_last_day(store: Inbox) -> None:
    """An author does not have its words vanish by a day that nobody's data needs."""
    none = msgspec.structs.replace(PERSONAL, flag=PersonalFlag.NONE)
    said = sign(WORLD, bulletin(WORLD, say=about("about nobody", none)))
    await take(store, said)
    assert await let(store, THE_DAY_AFTER + dt.timedelta(days=400)) == LetGo(erased=0, pruned=0)
    assert await kept(store) == [said.digest]


async def test_nothing_goes_before_it_expires(store: Inbox) -> None:
    """A bulletin whose retention ends earlier breaks a rule; its bytes stay in quarantine until it expires all the same."""
    yesterday = msgspec.structs.replace(PERSONAL, retention_until=NOW.date() - dt.timedelta(days=1))
    said = sign(WORLD, bulletin(WORLD, say=about("gone before it is heard", yesterday)))
    assert await take(store, said) == {"refused": 1}
    for days, erased in ((0, 0), (5, 0), (6, 1)):
        later = NOW + dt.timedelta(days=days)
        assert (await let(store, later)).erased == erased


HOSTILE = {
    "no day of expiry": b'{"personal_data":{"flag":"personal","retention_until":"2020-01-01"}}',
    "a number for its end": b'{"personal_data":{"flag":"personal","retention_until":"2020-01-01"},"expires":1}',
    "a number": b'{"personal_data":{"retention_until":1}}',
    "a list": b'{"personal_data":{"retention_until":["2020-01-01"]}}',
    "nothing": b'{"personal_data":null}',
    "no JSON": b'{"personal_data":{"retention_until":"2020-01-01"',
    "not UTF-8": b'{"personal_data":{"retention_until":"2020-01-01"},"x":"\xff\x00',
    "deep": b"[" * 5000,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_was_refused_is_looked_at_without_harm(store: Inbox, name: str) -> None:
    """For any quarantine rows nothing fails, and rows without a last day stay."""
    message = msgspec.structs.replace(ABOUT, payload=HOSTILE[name], digest=name)
    assert await take(store, message) == {"refused": 1}
    assert await let(store, THE_DAY_AFTER) == LetGo(erased=0, pruned=0)


def beats(count: int, *heads: Head) -> list[Message]:
    """Heartbeats of the CSIRT of XA; each names the heads."""
    said: list[Message] = []
    for seq in range(1, count + 1):
        prev = said[-1].digest if said else None
        say = heartbeat.draft(GREEN, heads, 3600, NOW)
        said.append(sign(WORLD, bulletin(WORLD, say=say, seq=seq, prev=prev)))
    return said


async def test_old_heartbeats_go_but_for_the_last(store: Inbox) -> None:
    """Thirty days they stay; the channel is judged as before, and what was actual stays."""
    said = chain(WORLD, 2)
    head = Head(channel="actual.green.community", seq=2, digest=said[1].digest)
    await take(store, *said, *beats(4, head))
    assert await let(store, NOW + dt.timedelta(days=29)) == LetGo(erased=0, pruned=0)
    later = NOW + dt.timedelta(days=31)
    before = await store.read(lambda db: look_at(db, later, WORLD.registry, "xb-hub"))
    assert await let(store, later) == LetGo(erased=0, pruned=3)
    assert len(await kept(store)) == 3
    assert await store.read(lambda db: look_at(db, later, WORLD.registry, "xb-hub")) == before
    assert await store.read(lambda db: list(damaged(db, WORLD.registry))) == []


async def test_a_heartbeat_that_names_what_is_missing_stays(store: Inbox) -> None:
    """It is the evidence that the bulletin exists; the alarm stands for as long."""
    said = chain(WORLD, 3)
    missing = Head(channel="actual.green.community", seq=3, digest=said[2].digest)
    signs = beats(3, missing)
    await take(store, *said[:2], *signs)
    later = NOW + dt.timedelta(days=31)
    await let(store, later)
    assert await kept(store) == [said[0].digest, said[1].digest, signs[0].digest, signs[2].digest]
    await take(store, said[2], now=later)
    assert await let(store, later) == LetGo(erased=0, pruned=1)


async def test_of_a_channel_that_contradicts_itself_everything_stays(store: Inbox) -> None:
    """It is evidence."""
    said = beats(3)
    other = sign(
        WORLD,
        bulletin(WORLD, say=heartbeat.draft(GREEN, (), 60, NOW), seq=2, prev=said[0].digest),
    )
    await take(store, *said, other)
    assert await let(store, NOW + dt.timedelta(days=31)) == LetGo(erased=0, pruned=0)


def test_an_operator_sees_what_would_go_lets_it_go_and_is_told_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hub prune --dry-run` and `hub prune`; `bulletin show` and `trace` say what became of it, the audit record how many."""
    desk = hub_desk(tmp_path, monkeypatch, WORLD, "xb-hub")
    monkeypatch.setattr(App, "now", lambda _: THE_DAY_AFTER)
    somebody = sign(WORLD, bulletin(WORLD, say=about("About somebody")))
    asyncio.run(take_in(store_of(desk.folder, "xb-hub"), WORLD, [somebody]))
    assert '"erased":1' in desk.run("hub", "prune", "--dry-run", "--json")
    assert somebody.bulletin.id in desk.run("bulletin", "show", somebody.bulletin.id)
    assert '"erased":1' in desk.run("hub", "prune", "--json")
    assert "not kept any more" in desk.run("bulletin", "show", somebody.bulletin.id, code=3)
    assert "erased" in desk.run("trace", somebody.bulletin.id)
    assert "personal-data-erased" in desk.run("audit", "show")


def test_a_store_made_before_there_were_tombstones_gets_them(tmp_path: Path) -> None:
    """The index over what was kept is made when the file is opened."""
    with sqlite3.connect(":memory:") as db:
        db.execute(
            "CREATE TABLE quarantine (n INTEGER PRIMARY KEY, payload BLOB, channel, seq, digest, reason)"
        )
        db.execute("CREATE TABLE voided (channel, digest)")
        db.execute("CREATE TABLE fork_decisions (channel, upto)")
        db.execute("INSERT INTO quarantine VALUES (1, ?, 'c', 1, 'd', 'fork')", (ABOUT.payload,))
        db.executescript(erasure.SCHEMA)
        db.row_factory = sqlite3.Row
        db.execute("INSERT INTO voided VALUES ('c', 'd')")
        assert [row["n"] for row in erasure.personal_in_quarantine(db, THE_DAY_AFTER)] == [1]

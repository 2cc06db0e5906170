"""Hubs compare what they hold over a real broker, ask for what they lack, and prove what was shown to only one of them."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path

from bus.admission import contradiction
from bus.hub import scrub
from bus.hub.exchange.requests import Lack, copy, handed, request
from bus.hub.picture.projection import open_store
from bus.publishing.publisher import Publisher
from bus.subscribing.inbox import Inbox
from schemas.bodies.system import Copy
from schemas.codec import decode, digest
from schemas.envelope import SIG_HEADER, file_form
from schemas.subject import Channel, channel_of
from schemas.vocab import Tlp
from tests.support.clocks import Clock
from tests.support.stage import Bus, admitted, has, reading, say, stored
from tests.support.waiting import eventually, longest
from tests.support.watching import ME, PeerHub, peer, voice
from tests.support.world import bulletin, chain, draft, goes_on, sign


async def test_what_only_one_hub_was_shown_reaches_the_other(bus: Bus, tmp_path: Path) -> None:
    """A broker that drops one, then the tail: the other hub misses both, and has them from its peer; the issuer is gone."""
    clock = Clock(bus.world.now)
    said = chain(bus.world, 6)
    async with peer(bus, tmp_path, "xa-hub", clock) as first:
        await say(bus, *said)
        await eventually(lambda: first.holds(1, 2, 3, 4, 5, 6))
    await bus.lose("WORLD_ACTUAL", "XA-CSIRT_ACTUAL")
    await say(bus, *(said[n] for n in (0, 1, 3)))
    async with peer(bus, tmp_path, "xa-hub", clock) as first, peer(bus, tmp_path, "xb-hub", clock) as second:
        await eventually(lambda: second.waits_for(4))
        clock.pass_(1)  # and the hold-back is over
        await eventually(lambda: second.holds(1, 2, 4))
        clock.pass_(4)
        await first.beats.beat(anyway=True)
        await eventually(second.has_heard)
        clock.pass_(
            30
        )  # what was announced is overdue; the issuer was asked and is silent, so another is asked
        await eventually(lambda: second.holds(1, 2, 3, 4, 5, 6))
        await eventually(second.stands)
        assert await second.alarmed() == {"gap", "tail"}


async def is_(asked: Coroutine[object, object, object], value: object) -> bool:
    """Whether this is the answer."""
    return await asked == value


async def test_two_histories_are_noticed_and_proved(bus: Bus, tmp_path: Path) -> None:
    """With its issuer's key one hub was shown another number 2, and what follows it: both hubs learn of it and prove it."""
    clock = Clock(bus.world.now)
    said = chain(bus.world, 3)
    other = goes_on(bus.world, said[:1], [draft(f"another number {n}") for n in (2, 3)])
    async with peer(bus, tmp_path, "xa-hub", clock) as first:
        await say(bus, *said)
        await eventually(lambda: first.holds(1, 2, 3))
    await bus.lose("WORLD_ACTUAL", "XA-CSIRT_ACTUAL")
    await say(bus, *other)
    async with peer(bus, tmp_path, "xb-hub", clock) as second:
        await eventually(lambda: second.holds(1, 2, 3))
    await bus.lose("WORLD_ACTUAL", "XA-CSIRT_ACTUAL")
    async with peer(bus, tmp_path, "xa-hub", clock) as first, peer(bus, tmp_path, "xb-hub", clock) as second:
        await first.beats.beat(anyway=True)
        await second.beats.beat(anyway=True)
        clock.pass_(10)
        for one in (first, second):
            await eventually(one.proofs)
            await eventually(lambda one=one: one.stands("fork"))  # type: ignore[misc]  # bound now
            assert await one.alarmed() == {"split", "fork"}
            for raw in await one.proofs():
                found = contradiction.judge_proof(raw, registry=bus.world.registry, now=clock())
                assert str(found.channel) == ME
        assert {*await first.numbers(), *await second.numbers()} == {1, 2, 3}


async def test_an_issuer_sends_again_what_it_is_asked_for(bus: Bus, tmp_path: Path) -> None:
    """Though the stream had acknowledged it, and only to who may read it; who asks twice has it sent once."""
    clock = Clock(bus.world.now)
    async with (
        voice(bus, tmp_path / "author.db", "xa-dpa", clock) as author,
        voice(bus, tmp_path / "reader.db", "xb-hub", clock) as reader,
    ):
        said = [await author.publish(draft(f"number {n}")) for n in range(3)]
        hidden = await author.publish(draft("withheld from XB", tlp=Tlp.AMBER_STRICT, audience="eu-dpas"))
        await author.idle(longest())
        withheld, open_ = (Channel.parse(each.channel) for each in (hidden, said[0]))
        assert not bus.world.registry.may_read("xb-hub", withheld)
        for wanted in (Lack(withheld, 1, None, ()), Lack(open_, 2, None, ()), Lack(open_, 2, None, ())):
            await reader.publish(request("xa-dpa", Tlp.GREEN, [wanted]))
        await eventually(lambda: is_(_asked_for(author), [said[1].digest]))
        found = await stored(bus, 4)
        assert [digest(each.payload) for each in found] == [each.digest for each in (*said, said[1])]
        assert await _asked_for(author) == [said[1].digest]


async def _asked_for(author: Publisher) -> list[str]:
    sql = "SELECT digest FROM resent JOIN outbox USING (n) ORDER BY n"
    return await author.outbox.read(lambda db: [row["digest"] for row in db.execute(sql).fetchall()])


async def test_nothing_is_taken_unasked_and_nothing_handed_to_who_may_not_read_it(
    bus: Bus, tmp_path: Path
) -> None:
    """A stranger's copies, true or rubbish, change nothing; who has no grant is handed nothing, and the next one is."""
    clock = Clock(bus.world.now)
    said, unasked = chain(bus.world, 2)
    secret = sign(
        bus.world, bulletin(bus.world, "xa-dpa", say=draft(tlp=Tlp.AMBER_STRICT, audience="eu-dpas"))
    )
    green, withheld = Channel.parse(ME), channel_of(secret.bulletin)
    async with (
        peer(bus, tmp_path, "xa-hub", clock) as helper,
        voice(bus, tmp_path / "stranger.db", "xb-hub", clock) as stranger,
    ):
        await say(bus, said)
        await say(bus, secret)
        await eventually(lambda: _holds(helper, {ME, str(withheld)}))
        file = file_form(unasked.payload, dict(unasked.headers)[SIG_HEADER])
        for each in (
            request("xa-hub", Tlp.AMBER_STRICT, [Lack(withheld, 1, None, ())]),
            copy("xa-hub", green, 2, file),
            copy("xa-hub", green, 2, b"{}"),
            request("xa-hub", Tlp.GREEN, [Lack(green, 1, None, ())]),
        ):
            await stranger.publish(each)
        await eventually(lambda: _copies(helper.publisher))
        assert [
            handed(each.file, registry=bus.world.registry, now=clock()).channel
            for each in await _copies(helper.publisher)
        ] == [green]
        assert await helper.numbers() == [1]
        assert (
            await helper.store.read(lambda db: db.execute("SELECT count(*) FROM quarantine").fetchone()[0])
            == 0
        )


async def _holds(one: PeerHub, channels: set[str]) -> bool:
    return channels <= {channel for channel, _, _ in await admitted(one.store)}


async def _copies(publisher: Publisher) -> list[Copy]:
    bodies = [decode(row.payload).body for row in await publisher.outbox.rows(status="system")]
    return [body for body in bodies if isinstance(body, Copy)]


async def test_a_scrub_takes_in_what_the_store_lacked_and_names_what_the_stream_lost(
    bus: Bus, tmp_path: Path
) -> None:
    """Each channel by name; while another process reads into the store nothing is done; the second time all is as it was."""
    green, public = (
        chain(bus.world, 3),
        [sign(bus.world, bulletin(bus.world, "xb-emb", say=draft(tlp=Tlp.CLEAR, audience="public")))],
    )
    path = tmp_path / "store.db"
    await say(bus, *green)
    async with reading(bus, path) as (store, _):
        await eventually(lambda: has(store, 3))
        assert await _scrubbed(bus, store) is None
    await bus.lose("XA-CSIRT_ACTUAL", "WORLD_ACTUAL")
    await say(bus, green[0], green[2])
    await say(bus, *public)
    await stored(bus, 3)  # the copy of what was brought is made
    async with open_store(path, hold_s=0.0) as store:
        first, second = [await _scrubbed(bus, store) for _ in range(2)]
        assert first == {"WORLD_ACTUAL": (3, 1, {"xa-csirt/actual.green.community": 1})}
        assert second == {"WORLD_ACTUAL": (3, 0, {"xa-csirt/actual.green.community": 1})}
        assert len(await admitted(store)) == 4


async def _scrubbed(bus: Bus, store: Inbox) -> dict[str, tuple[int, int, dict[str, int]]] | None:
    found = await scrub.compare(
        bus.endpoint("xb-hub"), store, bus.world.registry, lambda: bus.world.now, timeout=longest()
    )
    if found is None:
        return None
    return {each.stream: (each.held, each.taken, each.lost) for each in found if each.held}

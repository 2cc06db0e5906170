"""The program over a real store: what is looked at, decided, kept and sent, and what is sent no second time."""

from __future__ import annotations

import datetime as dt
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bus.hub.picture import clocked, open_store, ringing
from bus.hub.watch import alarms
from bus.hub.watch.liveness import Alarm, Reason
from bus.notify import book as books
from bus.notify import deliveries, shape, telling
from bus.notify.addresses import SendError
from bus.notify.book import Book
from bus.notify.items import asking_of
from bus.notify.looking import Seen
from bus.notify.service import Notifier
from bus.notify.shape import Channel, Item, Settings, Sort, Span
from bus.notify.wording import Worded
from bus.trust import VerifiedRegistry, ceremony
from schemas.bodies.coordination import Rfi
from schemas.parts import Handling
from schemas.vocab import Certainty, Severity, Status, Tlp, Urgency
from tests.support.clocks import Clock
from tests.support.hubs import take_in
from tests.support.world import BEACON_LIFETIME, NOW, Message, draft, goes_on, shared_world
from tests.unit.bus.notify.things import OWN, item, rule, settings

GRAVE: dict[str, Any] = {
    "urgency": Urgency.IMMEDIATE,
    "severity": Severity.EXTREME,
    "certainty": Certainty.OBSERVED,
}
SECOND = dt.timedelta(seconds=1)


class Post:
    """Takes messages; raises what a test wants for each attempt."""

    def __init__(self, *raises: Exception) -> None:
        self.taken: list[tuple[str, str, Worded]] = []
        self.tried: list[str] = []
        self.raises = list(raises)

    def __call__(self, channel: Channel, words: Worded, id_: str, made: dt.datetime, now: dt.datetime) -> str:
        """Take one."""
        self.tried.append(id_)
        if self.raises:
            raise self.raises.pop(0)
        self.taken.append((channel.name, id_, words))
        return "answered 200"


class Told(msgspec.Struct):
    """A program over a store, without its loop."""

    notifier: Notifier
    clock: Clock
    post: Post
    store: Path
    before: list[Message]

    async def comes(self, *says: Any, **changes: Any) -> None:
        """Bulletins of the CSIRT of XA come."""
        messages = goes_on(shared_world(), self.before, says, **changes)
        await take_in(self.store, shared_world(), messages, self.clock())
        self.before = messages

    async def passes(self, seconds: float) -> None:
        """Time, with a look before and after, and all sent that is due."""
        for part in (0.0, seconds):
            self.clock.pass_(part)
            self.notifier._rarely = float("-inf")
            await self.notifier.step()
            for name in self.notifier.settings.channels:
                while await self.notifier._send_one(name):
                    pass

    @property
    def texts(self) -> list[str]:
        """What was taken."""
        return [words.text for _, _, words in self.post.taken]

    async def log(self) -> list[deliveries.Delivery]:
        """The log."""
        return await self.notifier.book.read(lambda db: deliveries.log_of(db, limit=100))


def bytes_of(folder: Path) -> bytes:
    """All that stands in the files of `notify.db`."""
    return b"".join(each.read_bytes() for each in folder.glob("notify.db*"))


def remove(folder: Path) -> None:
    """Take the store away."""
    for each in folder.glob("store.db*"):
        each.unlink()


def fresh(now: dt.datetime) -> VerifiedRegistry:
    """The registry with a beacon of now."""
    world = shared_world()
    return world.registry.with_beacon(
        ceremony.new_beacon(world.registry, world.beacon, now, BEACON_LIFETIME), now
    )


@asynccontextmanager
async def telling_of(
    folder: Path,
    wanted: Settings,
    post: Post | None = None,
    clock: Clock | None = None,
    authority: str = "xb-hub",
    **of: Any,
) -> AsyncIterator[Told]:
    """A program that has looked once at an empty store."""
    now, poster = clock or Clock(NOW), post or Post()
    store = folder / "store.db"
    async with open_store(store, hold_s=0.0), Book.open(folder / "notify.db") as book:
        pass
    async with Book.open(folder / "notify.db") as book:
        asking: Callable[[], Any] = lambda: asking_of(wanted, authority, fresh(now()))  # noqa: E731
        notifier = Notifier(book, store, asking, clock=now, rng=random.Random(1).randbytes, post=poster, **of)
        told = Told(notifier, now, poster, store, [])
        await notifier.step()
        yield told


async def test_priority_1_is_told_after_twenty_seconds(tmp_path: Path) -> None:
    """And what waits is not told."""
    async with telling_of(tmp_path, settings(rule())) as told:
        await told.comes(draft("quiet"), draft("grave", **GRAVE))
        await told.passes(19)
        assert told.texts == []
        await told.passes(1)
    (text,) = told.texts
    assert text.startswith("TLP:GREEN priority 1: grave (by xa-csirt)\nhttps://hub.example/b/")


async def test_what_was_there_before_the_first_look_is_not_told(tmp_path: Path) -> None:
    """Nobody is flooded with yesterday."""
    await take_in(tmp_path / "store.db", shared_world(), goes_on(shared_world(), [], [draft(**GRAVE)]), NOW)
    async with telling_of(tmp_path, settings(rule())) as told:
        await told.passes(600)
        assert told.texts == []


async def test_all_else_is_in_the_digest(tmp_path: Path) -> None:
    """At its hour, once, with all since the last one."""
    wanted = settings(rule(hours=(dt.time(19), dt.time(20))))
    async with telling_of(tmp_path, wanted) as told:
        await told.comes(draft("one"), draft("two"))
        await told.passes(3600)
        await told.passes(60)
        assert len(told.texts) == 1
        assert told.texts[0].startswith("Digest: 2 things have happened since")
        await told.passes(3600)
        assert len(told.texts) == 1


async def test_quiet_hours_hold_what_is_told_and_never_an_interrupt(tmp_path: Path) -> None:
    """What was held is told when they end."""
    quiet = (Span(dt.time(18), dt.time(19)),)
    async with telling_of(
        tmp_path, settings(rule(when="all", quiet=quiet)), clock=Clock(NOW + dt.timedelta(minutes=30))
    ) as told:
        await told.comes(draft("later"))
        await told.passes(1200)
        assert told.texts == []
        await told.comes(draft("now", **GRAVE), issuer="xa-csirt")
        await told.passes(20)
        assert ["now" in each for each in told.texts] == [True]
        await told.passes(1800)
        assert sum("later" in each for each in told.texts) >= 1


async def test_an_embargo_holds_it_back(tmp_path: Path) -> None:
    """Until its time; then it is told as it stands then."""
    until = NOW + dt.timedelta(hours=1)
    async with telling_of(tmp_path, settings(rule())) as told:
        await told.comes(draft("later", handling=Handling(embargo_until=until), **GRAVE))
        await told.passes(3500)
        assert told.texts == []
        await told.passes(100)
        await told.passes(20)
        assert ["later" in each for each in told.texts] == [True]


async def test_above_the_ceiling_of_a_rule_nothing_is_told(tmp_path: Path) -> None:
    """Above the cap of a channel a sentence."""
    wanted = settings(
        rule(name="low", ceiling=Tlp.GREEN, channels=("low",)),
        rule(name="high", ceiling=Tlp.RED, channels=("high",)),
    )
    async with telling_of(tmp_path, wanted) as told:
        say = draft("hidden", tlp=Tlp.AMBER_STRICT, audience="eu-csirts", **GRAVE)
        await told.comes(say)
        await told.passes(20)
        assert told.post.taken
        assert [(name, words.text) for name, _, words in told.post.taken] == [
            ("high", "a bulletin at TLP:AMBER+STRICT waits for you")
        ]


async def test_an_exercise_is_marked(tmp_path: Path) -> None:
    """In every line."""
    async with telling_of(tmp_path, settings(rule())) as told:
        await told.comes(draft("played", status=Status.EXERCISE, exercise_id="xa-drill-1", **GRAVE))
        await told.passes(20)
    assert told.texts
    assert all(line.startswith("[EXERCISE] ") for line in told.texts[0].splitlines())


async def test_an_own_channel_that_is_silent_interrupts_and_a_silent_hub_hides_its_country(
    tmp_path: Path,
) -> None:
    """One alarm instead of many; when the hub is heard again, what is still silent is told."""
    own = settings(rule(when="all"))
    async with telling_of(tmp_path, own) as told:
        green = "beat.green.community"

        async def record(begun: list[str], ended: list[str]) -> None:
            moment = told.clock().timestamp()
            async with open_store(told.store, hold_s=0.0) as store:
                found = [
                    Alarm(channel=f"{name}/{green}", reason=Reason.SILENT, detail="silent") for name in begun
                ]
                over = [(f"{name}/{green}", Reason.SILENT) for name in ended]
                await store.write(lambda db: alarms.record_alarms(db, found, over, moment))

        await record(["xa-csirt", "xa-dpa"], [])
        await told.passes(5)
        await record(["xa-hub", "xa-emb"], [])
        await told.passes(20)
        assert [text.splitlines()[0] for text in told.texts] == [
            "TLP:GREEN channel xa-hub/beat[.]green[.]community: alarm silent"
        ]
        await record([], ["xa-hub"])
        await told.passes(30)
        told_of = {
            line.split()[2].partition("/")[0]
            for text in told.texts
            for line in text.splitlines()
            if line.startswith("TLP")
        }
        assert {"xa-csirt", "xa-emb", "xa-hub"} <= told_of


async def test_unanswered_goes_to_the_next_contact_and_answered_does_not(tmp_path: Path) -> None:
    """An acknowledgement of the hub is the answer, and so is that it holds no more."""
    wanted = settings(rule(channels=("first", "second"), escalate_s=300))
    async with telling_of(tmp_path, wanted) as told:
        await told.comes(draft("grave", **GRAVE))
        await told.passes(20)
        await told.passes(300)
        assert [name for name, _, _ in told.post.taken] == ["first", "second"]
        assert told.texts[1].startswith("Nobody has answered: ")
    other = tmp_path / "other"
    other.mkdir()
    async with telling_of(other, wanted) as told:
        await told.comes(draft("grave", **GRAVE))
        await told.passes(20)
        with sqlite3.connect(told.store) as db:
            db.execute("UPDATE actual SET ended_how = 'cancelled', ended_by = 'x'")
        db.close()
        await told.passes(300)
        assert [name for name, _, _ in told.post.taken] == ["first"]


async def test_a_clock_that_is_nearly_due_or_too_late_is_told_once(tmp_path: Path) -> None:
    """What is to be acknowledged with a quarter of its time left interrupts; a clock that has become late is told with the others."""
    async with telling_of(tmp_path, settings(rule(when="all", channels=("first",)))) as told:
        law = clocked.law_of(lambda: shared_world().registry, "xb-hub")()

        async def rings() -> None:
            async with open_store(told.store, hold_s=0.0) as store:
                while await store.write(lambda db: ringing.advance(db, law, told.clock())):
                    pass

        asks = Rfi(question="Which?", respond_by=NOW + dt.timedelta(minutes=50), to=("xb-csirt",))
        await told.comes(draft("grave", **GRAVE), draft("asked", body=asks))
        await rings()
        await told.passes(20)
        assert not [text for text in told.texts if "acknowledge by" in text or "too late" in text]
        await told.passes(44 * 60)
        await rings()
        await told.passes(60)
        await told.passes(20)
        assert sum("acknowledge by" in text for text in told.texts) == 1
        await told.passes(10 * 60)
        await rings()
        for _ in range(3):
            await told.passes(20)
        assert sum("too late, it was due" in text and "asked" in text for text in told.texts) == 1
        assert sum("acknowledge by" in text for text in told.texts) == 1


async def test_what_fails_is_tried_again_with_growing_waits_and_an_end(tmp_path: Path) -> None:
    """Under one id; then it is given up, and the log says why."""
    clock, gaps, ids = Clock(NOW), [], set()
    said = shape.Message(form="group", items=(item(),), count=1, since=NOW, at=NOW)
    async with Book.open(tmp_path / "notify.db") as book:
        await book.write(lambda db: deliveries.enqueue(db, "ntf_1", "duty", "hook", said))
        while begun := await book.write(lambda db: deliveries.begin(db, "hook", clock())):
            ids.add(begun[0].id)
            await book.write(
                lambda db: deliveries.failed(db, 1, clock(), "notify-unreachable", "no", final=False)
            )
            due = await book.read(lambda db: deliveries.next_due(db, "hook"))
            if due is None:
                break
            gaps.append((due - clock()).total_seconds())
            assert await book.write(lambda db: deliveries.begin(db, "hook", clock())) is None
            clock.now = due
        (entry,) = await book.read(lambda db: deliveries.log_of(db, limit=9))
    assert (entry.state, entry.reason, ids) == ("given-up", "notify-unreachable", {"ntf_1"})
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[-1]) == (30, 3600)
    assert clock() - NOW <= dt.timedelta(days=1)


async def test_what_is_refused_for_good_is_given_up_at_once(tmp_path: Path) -> None:
    """The next message goes its way."""
    async with telling_of(
        tmp_path, settings(rule()), Post(SendError("no", reason="notify-refused", is_final=True))
    ) as told:
        await told.comes(draft("grave", **GRAVE))
        await told.passes(20)
        await told.passes(3600)
        (entry,) = await told.log()
    assert (entry.state, entry.tries) == ("given-up", 1)


async def test_the_log_holds_nothing_of_what_was_said(tmp_path: Path) -> None:
    """No text stays in the file once a message was taken, and the log ends after thirty days."""
    async with telling_of(tmp_path, settings(rule())) as told:
        await told.comes(draft("zqsecret", **GRAVE))
        await told.passes(20)
        await told.passes(700)
        assert "zqsecret" in told.texts[0]
        (entry,) = await told.log()
        assert entry.said == "answered 200"
        await told.notifier.book.write(lambda db: deliveries.tidy(db, told.clock() + dt.timedelta(days=31)))
        assert await told.log() == []
    assert b"zqsecret" not in bytes_of(tmp_path)


async def test_what_is_erased_is_taken_out_of_what_waits(tmp_path: Path) -> None:
    """Of groups and of messages on their way."""
    fails = [SendError("no", reason="notify-unreachable")] * 5
    async with telling_of(tmp_path, settings(rule(hours=(dt.time(23),))), Post(*fails)) as told:
        await told.comes(draft("zqgrave", **GRAVE), draft("zqquiet"))
        await told.passes(20)
        with sqlite3.connect(told.store) as db:
            db.execute("DELETE FROM actual")
        db.close()
        await told.passes(1)
        kept = await told.notifier.book.read(
            lambda db: [
                *db.execute("SELECT state FROM groups"),
                *db.execute("SELECT message FROM deliveries"),
            ]
        )
        assert kept
        assert not any(b"zq" in row[0] for row in kept)
        await told.passes(3600)
        (entry,) = await told.log()
    assert (entry.state, entry.reason) == ("given-up", "notify-nothing-left")


async def test_a_store_that_begins_anew_says_that_something_was_missed(tmp_path: Path) -> None:
    """And goes on from there."""
    async with telling_of(tmp_path, settings(rule())) as told:
        await told.comes(*[draft(f"number {n}") for n in range(5)])
        await told.passes(1)
        remove(tmp_path)
        told.before = []
        await told.comes(draft("new"))
        await told.passes(20)
    assert len(told.texts) == 1
    assert "events were missed" in told.texts[0]


async def test_a_store_that_is_not_there_is_said_and_waited_for(tmp_path: Path) -> None:
    """Nothing is lost by it."""
    async with telling_of(tmp_path, settings(rule())) as told:
        hidden = tmp_path / "elsewhere"
        told.store.rename(hidden)
        await told.notifier.step()
        assert told.notifier.conditions()[0].code == "notify-cannot-look"
        hidden.rename(told.store)
        await told.comes(draft("grave", **GRAVE))
        await told.passes(20)
        assert (len(told.texts), told.notifier.conditions()[0].code) == (1, "ok")


async def test_drafts_to_be_approved_are_told_once(tmp_path: Path) -> None:
    """Those that others know of."""
    asked = item(sort=Sort.APPROVAL, about="approval-1", headline="a draft", audience="")
    async with telling_of(tmp_path, settings(rule()), more=lambda: [asked]) as told:
        await told.passes(20)
        await told.passes(1000)
    assert [text.splitlines()[0] for text in told.texts] == [
        "TLP:GREEN priority 3: a draft waits for your approval: a draft (by xa-csirt)"
    ]


async def test_an_approval_that_was_given_goes_to_no_further_contact(tmp_path: Path) -> None:
    """It is asked for no more."""
    asked = [item(sort=Sort.APPROVAL, about="approval-1", headline="draft 1", audience="")]
    wanted = settings(rule(channels=("first", "second"), escalate_s=300))
    async with telling_of(tmp_path, wanted, more=lambda: tuple(asked)) as told:
        await told.passes(20)
        asked.clear()
        await told.passes(300)
        await told.passes(300)
        assert [name for name, _, _ in told.post.taken] == ["first"]


async def test_two_programs_tell_once(tmp_path: Path) -> None:
    """The second stands by."""
    async with telling_of(tmp_path, settings(rule())) as told, Book.open(tmp_path / "notify.db") as book:
        asking = lambda: asking_of(settings(rule()), "xb-hub", fresh(told.clock()))  # noqa: E731
        second = Notifier(
            book, told.store, asking, clock=told.clock, rng=random.Random(2).randbytes, post=told.post
        )
        await told.comes(draft("grave", **GRAVE))
        await told.passes(5)
        await second.step()
        assert second.stands_by
        await told.passes(20)
        assert not await second._send_one("hook")
        assert len(told.texts) == 1


async def test_a_flood_makes_few_messages(tmp_path: Path) -> None:
    """10 000 things of one issuer, each of priority 1 and with an incident of its own, within a minute: a bounded number of words."""
    wanted = settings(
        rule(), rule(name="all", when="all"), rule(name="digest", when="digest", hours=(dt.time(10),))
    )
    clock = Clock(NOW.replace(hour=9))
    ids = iter(range(10**6))
    names = tuple(wanted.rules)
    async with Book.open(tmp_path / "notify.db") as book:
        for part in range(20):
            seen = [
                Seen(item=item(about=f"id-{n}", incident=f"in-{n}", priority="p1", at=clock()), rules=names)
                for n in range(part * 500, part * 500 + 500)
            ]
            await book.write(partial(telling.take_in, seen=seen, settings=wanted, own=OWN, now=clock()))
            await book.write(lambda db: telling.say(db, wanted, (), clock(), lambda: str(next(ids))))
            clock.pass_(3)
        for _ in range(7200):
            clock.pass_(1)
            if clock().second % 20 == 0:
                await book.write(lambda db: telling.say(db, wanted, (), clock(), lambda: str(next(ids))))
        log = await book.read(lambda db: deliveries.log_of(db, limit=10_000))
        counted = await book.read(
            lambda db: db.execute("SELECT sum(count) FROM deliveries WHERE rule = 'digest'").fetchone()[0]
        )
        left = await book.read(lambda db: db.execute("SELECT count(*) FROM groups").fetchone()[0])
    by_rule = {name: sum(each.rule == name for each in log) for name in names}
    assert by_rule["digest"] == 1
    assert counted == 10_000
    assert by_rule["duty"] <= books.MOST_OF_ISSUER + 4
    assert by_rule["all"] <= books.MOST_OF_ISSUER + 4
    assert left == 0


async def test_a_flood_of_one_kind_is_two_messages(tmp_path: Path) -> None:
    """The first word, and after ten minutes how many there were; through the store."""
    async with telling_of(tmp_path, settings(rule())) as told:
        await told.comes(*[draft(f"number {n}", **GRAVE) for n in range(600)])
        await told.passes(20)
        await told.comes(*[draft(f"number {n}", **GRAVE) for n in range(600, 700)])
        await told.passes(600)
    assert len(told.texts) == 2
    assert (
        told.texts[1].endswith("697 more of this since 2027-05-23 09:00 UTC.")
        or "more of this" in told.texts[1]
    )


async def test_the_cursor_and_what_follows_are_one(tmp_path: Path) -> None:
    """The place moves with what was taken in: a second look takes nothing in again."""
    say = rule()
    async with telling_of(tmp_path, settings(say)) as told:
        await told.comes(draft("grave", **GRAVE))
        await told.notifier.step()
        place = await told.notifier.book.read(books.place)
        groups = await told.notifier.book.read(lambda db: books.groups(db, say.name, digest=False))
        assert place is not None
        assert [each.count for each in groups.values()] == [1]
        await told.notifier.step()
        again = await told.notifier.book.read(lambda db: books.groups(db, say.name, digest=False))
        assert again == groups


def test_items_survive_the_file() -> None:
    """What is written is read back the same."""
    whole = item(due=NOW, start=NOW, areas=("XA",), incident="a", is_exercise=True)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Item) == whole
    assert json.loads(msgspec.json.encode(whole))["tlp"] == "green"

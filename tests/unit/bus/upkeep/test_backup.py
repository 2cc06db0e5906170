"""A context in an archive and back: consistent while programs run, never over what is there, and marked as an old copy."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import audit
from bus.config import Context
from bus.desk import DeskError, trail
from bus.errors import StoreError, TrustError
from bus.hub.picture.projection import open_store
from bus.publishing.outbox import Outbox
from bus.trust import ceremony
from bus.upkeep.archive import MAX_FILE_BYTES, BackupError, unpacked
from bus.upkeep.backup import Kept, back_up
from bus.upkeep.restoring import Restored, restore
from tests.support.desks import HOME, PASSWORD, add, invite, open_desk
from tests.support.desks import NOW as NOW_S
from tests.support.publishers import keeping
from tests.support.trust import hold, statement, version
from tests.support.world import BEACON_LIFETIME, NOW, draft, shared_world

WORLD = shared_world()
LATER = NOW + dt.timedelta(hours=1)


class Place:
    """A context with everything that it may have, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.home = folder / "home"
        self.context = Context(
            authority="xa-csirt",
            domain="test",
            pin=WORLD.pin,
            server="nats://127.0.0.1:4222",
            registry=folder / "trust" / "registry.tocsin.json",
            beacon=folder / "trust" / "beacon.tocsin.json",
            key=folder / "keys" / "sign.pem",
            passphrase_file=folder / "keys" / "sign.pass",
            nkey=folder / "keys" / "transport.nk",
            seal_keys=folder / "keys" / "seal",
            contacts=folder / "contacts.toml",
            state=self.state,
            heartbeat_during_s=30,
        )
        self.archive = folder / "one.tar"

    async def fill(self) -> None:
        """Files of every sort; a registry of two versions with a statement, an outbox with two bulletins."""
        for name, text in (
            ("keys/sign.pem", "SIGN"),
            ("keys/sign.pass", "PASSPHRASE"),
            ("keys/transport.nk", "NKEY"),
            ("keys/seal/a.pem", "SEAL"),
            ("contacts.toml", "[[contact]]"),
        ):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        held = hold(self.folder / "trust", lambda: NOW)
        for raw in (version(WORLD.registry), statement("xa-dpa")):
            held.take(raw)
        held.take(ceremony.new_beacon(held(), WORLD.beacon, NOW, BEACON_LIFETIME))
        await self.publish(2)
        async with open_store(self.state / "store.db"):
            pass
        audit.append(self.state / "audit.jsonl", "signed", {}, NOW)

    async def publish(self, count: int) -> None:
        """Accept bulletins."""
        async with keeping(self.state / "outbox.db") as (publisher, _):
            for _ in range(count):
                await publisher.publish(draft())

    def back_up(self, **more: Any) -> Kept:
        """Make the archive."""
        return back_up("mine", self.context, self.state, self.archive, NOW, **more)

    def find(self, name: str) -> tuple[Context, Path] | None:
        """The context here."""
        return (self.context, self.state) if name == "mine" else None

    def restore(self, **more: Any) -> Restored:
        """Put it back where it was."""
        return restore(self.archive, self.home, self.find, LATER, **more)

    def restore_anew(self, **more: Any) -> Restored:
        """Put it back where no settings know it."""
        return restore(self.archive, self.home, lambda _: None, LATER, **more)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """A context, filled."""
    made = Place(tmp_path)
    await made.fill()
    return made


def names(place: Place) -> set[str]:
    """The names in the archive."""
    with unpacked(place.archive, place.folder) as (manifest, _):
        return {member.name for member in manifest.members}


def accepted(outbox: Path) -> int:
    """The number of bulletins in an outbox."""
    db = sqlite3.connect(outbox)
    try:
        return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])
    finally:
        db.close()


PLAIN = {
    "state/outbox.db",
    "state/store.db",
    "state/audit.jsonl",
    "registry/registry.tocsin.json",
    "registry/registry.v2.tocsin.json",
    "registry/beacon.tocsin.json",
    "files/contacts",
}


async def test_keys_go_in_only_when_asked_for_and_passphrases_never(place: Place) -> None:
    """Everything else always does; the bytes of a passphrase are nowhere in the archive."""
    place.back_up()
    plain = names(place)
    assert {name for name in plain if not name.startswith("registry/revocations/")} == PLAIN
    assert len(plain) == len(PLAIN) + 1
    place.archive.unlink()
    place.back_up(with_keys=True, with_store=False)
    assert names(place) == (plain - {"state/store.db"}) | {"files/key", "files/nkey", "seal/a.pem"}
    assert b"PASSPHRASE" not in place.archive.read_bytes()
    assert stat.S_IMODE(place.archive.stat().st_mode) == 0o600


async def test_it_comes_back_where_no_settings_know_it(place: Place) -> None:
    """It is restored below the folder of the settings, with a context of the new paths and a valid registry."""
    place.back_up(with_keys=True)
    done = place.restore_anew()
    new = place.home / "mine"
    expected = msgspec.structs.replace(
        place.context,
        registry=new / "registry" / "registry.tocsin.json",
        beacon=new / "registry" / "beacon.tocsin.json",
        key=new / "files" / "key",
        nkey=new / "files" / "nkey",
        contacts=new / "files" / "contacts",
        seal_keys=new / "seal",
        passphrase_file=None,
        state=new / "state",
    )
    assert (done.context, done.kept, done.set_aside) == (expected, (), ())
    held = hold(new / "registry", lambda: NOW)()
    assert (held.version, len(held.revocations), held.beacon is not None) == (2, 1, True)
    assert accepted(new / "state" / "outbox.db") == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in done.written} == {0o600}
    assert audit.verify(new / "state" / "audit.jsonl").entries == 1


async def test_a_restored_outbox_is_marked_as_an_old_copy(place: Place) -> None:
    """It is marked with an inode that no file has, regardless of the new file's inode."""
    place.back_up()
    place.restore_anew()
    db = sqlite3.connect(place.home / "mine" / "state" / "outbox.db")
    assert db.execute("SELECT inode FROM outbox_file").fetchall() == [(0,)]
    db.close()


async def test_a_restored_desk_has_its_people_and_no_session(place: Place) -> None:
    """A session or token of then may have been ended since; what people did is there, and the trail stands."""
    async with open_desk(place.state) as there:
        token = await add(there, "ann")
        setup = await invite(there, "bob")
    place.back_up(with_store=False)
    assert "state/desk.db" in names(place)
    place.restore_anew()
    async with open_desk(place.home / "mine" / "state") as back:
        assert (await back.read(trail.verify_audit)).last == 6
        for refused_by in (
            back.look(token, NOW_S, HOME, lambda _, act: act),
            back.set_first_password(setup, PASSWORD, NOW_S, HOME),
        ):
            with pytest.raises(DeskError):
                await refused_by
        await back.sign_in("ann", PASSWORD, NOW_S, HOME)


async def test_what_is_there_is_set_aside_or_stays(place: Place) -> None:
    """Without force nothing changes; with it the newer outbox lies beside, and registry, keys and record are as they were."""
    place.back_up(with_keys=True)
    await place.publish(3)
    audit.append(place.state / "audit.jsonl", "signed", {}, NOW)
    third = version(hold(place.folder / "trust", lambda: NOW)())
    hold(place.folder / "trust", lambda: NOW).take(third)
    heads = place.state / "outbox.db.heads"
    heads.write_text("what was accepted")
    with pytest.raises(BackupError) as said:
        place.restore()
    assert (said.value.reason, accepted(place.state / "outbox.db")) == ("backup-occupied", 5)
    rehearsed = place.restore(force=True, rehearse=True)
    assert accepted(place.state / "outbox.db") == 5
    done = place.restore(force=True)
    assert (rehearsed.written, rehearsed.set_aside) == (done.written, done.set_aside)
    assert accepted(place.state / "outbox.db") == 2
    assert sorted(path.name for path in done.set_aside) == [
        "outbox.db.20270523T190000Z",
        "store.db.20270523T190000Z",
    ]
    assert accepted(place.state / "outbox.db.20270523T190000Z") == 5
    assert {path.name for path in done.written} == {"outbox.db", "store.db"}
    assert hold(place.folder / "trust", lambda: NOW)().version == 3
    assert audit.verify(place.state / "audit.jsonl").entries == 2
    assert heads.read_text() == "what was accepted"


async def test_a_program_that_runs_stops_a_restoring(place: Place) -> None:
    """Even with force: it would write on into a file that is gone."""
    place.back_up()
    async with Outbox.open(place.state / "outbox.db") as outbox:
        import time

        from bus.storage.lease import owner_name

        assert await outbox.take_lease(owner_name(), time.time())
        with pytest.raises(StoreError) as said:
            place.restore(force=True)
    assert said.value.reason == "store-busy"


async def test_a_backup_while_bulletins_are_accepted_holds_whole_ones(place: Place) -> None:
    """Ten archives beside a publisher that does not stop: each has a chain without a hole, and each later one no less."""
    counts = []
    async with keeping(place.state / "outbox.db") as (publisher, _):
        stop = asyncio.Event()

        async def publish() -> None:
            while not stop.is_set():
                await publisher.publish(draft())

        task = asyncio.create_task(publish())
        for number in range(10):
            place.archive = place.folder / f"{number}.tar"
            await asyncio.to_thread(place.back_up)
        stop.set()
        await task
    for number in range(10):
        with unpacked(place.folder / f"{number}.tar", place.folder) as (_, folder):
            db = sqlite3.connect(folder / "state" / "outbox.db")
            numbers = [row[0] for row in db.execute("SELECT seq FROM outbox ORDER BY n")]
            heads = [row[0] for row in db.execute("SELECT seq FROM heads")]
            db.close()
        assert (numbers, heads) == (list(range(1, len(numbers) + 1)), [len(numbers)])
        counts.append(len(numbers))
    assert counts == sorted(counts)


async def test_a_damaged_store_makes_no_backup(place: Place) -> None:
    """So that nobody trusts a copy of rubbish; no archive is left."""
    store = place.state / "outbox.db"
    raw = bytearray(store.read_bytes())
    raw[4096 : 4096 * 3] = bytes(4096 * 2)
    store.write_bytes(raw)
    with pytest.raises(StoreError):
        place.back_up()
    assert not place.archive.exists()
    assert not list(place.folder.glob(".*"))


async def test_an_archive_of_another_identity_is_refused(place: Place) -> None:
    """This holds for any name; nothing is written, with or without force."""
    place.back_up()
    place.context = msgspec.structs.replace(place.context, authority="xb-csirt")
    with pytest.raises(BackupError) as said:
        place.restore(force=True)
    assert said.value.reason == "backup-other"


async def test_a_registry_that_does_not_stand_is_refused(place: Place) -> None:
    """One that was put into the archive in its place; nothing is written."""
    place.context.registry.write_bytes(version(WORLD.registry))
    place.back_up()
    with pytest.raises(TrustError) as said:
        place.restore_anew()
    assert said.value.reason == "pin"
    assert list(place.home.iterdir()) == []


async def test_an_archive_may_not_say_where_keys_lie(place: Place) -> None:
    """Its settings name no files: a context from it would otherwise use what lies elsewhere."""
    from bus.upkeep.archive import write_archive

    write_archive(
        place.archive,
        {"registry/registry.tocsin.json": place.context.registry},
        context="mine",
        settings={
            "authority": "xa-csirt",
            "domain": "test",
            "pin": WORLD.pin,
            "key": "/etc/ssl/private/key.pem",
        },
        made=NOW,
    )
    with pytest.raises(BackupError, match="no archive may do that"):
        place.restore_anew()


async def test_nothing_is_no_backup(tmp_path: Path) -> None:
    """A context without a file."""
    empty = Place(tmp_path)
    with pytest.raises(BackupError) as said:
        empty.back_up()
    assert said.value.reason == "backup-empty"


@pytest.mark.parametrize("name", ["my key.pem", "schl\u00fcssel.pem", ".old.pem", f"{'a' * 120}.pem"])
async def test_what_could_not_be_restored_is_not_backed_up(place: Place, name: str) -> None:
    """The error comes while the file can still get another name."""
    assert place.context.seal_keys is not None
    (place.context.seal_keys / name).write_text("SEAL")
    with pytest.raises(BackupError) as told:
        place.back_up(with_keys=True)
    assert told.value.reason == "backup-member"
    assert not place.archive.exists()


async def test_a_file_too_large_to_be_restored_is_not_backed_up(place: Place) -> None:
    """Likewise."""
    assert place.context.contacts is not None
    with place.context.contacts.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(BackupError) as told:
        place.back_up()
    assert told.value.reason == "backup-member"


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
async def test_what_is_left_of_a_database_is_not_taken_for_the_restored_ones(
    place: Place, suffix: str
) -> None:
    """SQLite would replay a leftover log into the restored database and undo its mark as a copy."""
    place.back_up()
    (place.state / "store.db").unlink()
    (place.state / "outbox.db").unlink()
    left = place.state / f"outbox.db{suffix}"
    left.write_bytes(b"left")
    with pytest.raises(BackupError) as told:
        place.restore()
    assert (told.value.reason, str(left) in str(told.value)) == ("backup-occupied", True)
    place.restore(force=True)
    assert not left.exists()
    assert (place.state / f"outbox.db.20270523T190000Z{suffix}").read_bytes() == b"left"
    assert accepted(place.state / "outbox.db") == 2


async def test_nobody_chooses_what_a_restoring_writes_over(place: Place) -> None:
    """In a folder that others may write into, a link with a name that can be foreseen leads nowhere."""
    place.back_up(with_keys=True)
    precious = place.folder / "precious"
    precious.write_text("mine")
    for file in (place.state / "outbox.db", place.state / "store.db", place.context.contacts):
        assert file is not None
        file.unlink()
    (place.folder / ".contacts.toml.restoring").symlink_to(precious)
    place.restore()
    assert precious.read_text() == "mine"

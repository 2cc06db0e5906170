"""Links to a single sign-on and passkeys at a desk: whose they are, who may change them, and what ends with them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from bus.desk import Desk, DeskError, Role, at_command_line, links, passkeys, people, sessions, signing_in
from bus.desk.passkeys import MAX_CREDENTIAL, MAX_PASSKEYS, Passkey
from bus.desk.tables import LAYOUTS, SIGNING_IN
from bus.desk.tokens import new_secret
from bus.storage import Database
from tests.support.desks import CHEAP, HOME, NOW, act_of, bare, seeded, signed_in

ISSUER = "https://id.example"


@pytest.fixture
def db() -> sqlite3.Connection:
    """Two people and an administrator, each with a session."""
    made = bare()
    for id_, role in (("ann", Role.READER), ("bob", Role.READER), ("eva", Role.ADMINISTRATOR)):
        signed_in(made, id_, role)
    return made


def token(id_: str) -> str:
    """The id of a session that `signed_in` has begun."""
    return new_secret(seeded(sum(id_.encode())))


def refused(work: object, *arguments: object, **named: object) -> str:
    """The reason with which something is refused."""
    with pytest.raises(DeskError) as found:
        work(*arguments, **named)  # type: ignore[operator]
    return found.value.reason


def added(db: sqlite3.Connection, who: str = "ann", id_: bytes = b"key", count: int = 0) -> Passkey:
    """A passkey of somebody."""
    passkeys.add(db, act_of(db, token(who)), id_, "the ring", b"public", count)
    found = passkeys.find(db, id_)
    assert found is not None
    return found


def used(db: sqlite3.Connection, key: Passkey, count: int) -> str:
    """Whom a passkey signs in."""
    begun = passkeys.sign_in(db, key, count, at=NOW + 9, address=HOME, random=os.urandom)
    return begun.person.id


def test_only_an_administrator_links(db: sqlite3.Connection) -> None:
    """A reader links nobody, not even itself; one subject means one person; a person has a bounded number."""
    eva, ann = act_of(db, token("eva")), act_of(db, token("ann"))
    assert refused(links.add, db, ann, "ann", ISSUER, "1") == "desk-role"
    links.add(db, eva, "ann", ISSUER, "1")
    assert refused(links.add, db, eva, "bob", ISSUER, "1") == "link-exists"
    links.add(db, eva, "bob", "https://other.example", "1")
    assert refused(links.add, db, eva, "nobody", ISSUER, "2") == "not-there"
    assert refused(links.add, db, eva, "ann", ISSUER, "") == "text-empty"
    assert refused(links.add, db, eva, "ann", ISSUER, "a\u202eb") == "text-unseen"
    assert refused(links.add, db, eva, "ann", ISSUER, "a" * 300) == "text-too-long"
    for number in range(2, links.MAX_LINKS + 1):
        links.add(db, eva, "ann", ISSUER, str(number))
    assert refused(links.add, db, eva, "ann", ISSUER, "more") == "desk-full"
    assert refused(links.remove, db, eva, "bob", ISSUER, "1") == "not-there"
    assert refused(links.remove, db, ann, "ann", ISSUER, "1") == "desk-role"


def test_a_link_signs_in_as_fresh_as_the_sign_on_says(db: sqlite3.Connection) -> None:
    """A session by a sign-on that does not say when it asked is fresh for nothing; a confirmation makes it so."""
    links.add(db, act_of(db, token("eva")), "ann", ISSUER, "1")
    begun = links.sign_in(db, ISSUER, "1", fresh_at=0.0, at=NOW, address=HOME, random=seeded(1))
    act = act_of(db, begun.token)
    assert (act.who, sessions.is_fresh(act)) == ("ann", False)
    again = links.confirm(db, act, ISSUER, "1", fresh_at=NOW - 9, random=seeded(2))
    assert sessions.is_fresh(act_of(db, again))
    assert refused(act_of, db, begun.token) == "session-ended"
    bob = act_of(db, token("bob"))
    assert refused(links.confirm, db, bob, ISSUER, "1", fresh_at=NOW, random=seeded(3)) == "own-work"


def test_a_passkey_is_of_one_person(db: sqlite3.Connection) -> None:
    """Others neither see nor remove it, nor add it again."""
    key = added(db)
    bob = act_of(db, token("bob"))
    assert passkeys.listed(db, bob) == []
    assert refused(passkeys.remove, db, bob, key.id) == "not-there"
    assert refused(passkeys.add, db, bob, key.id, "mine", b"public", 0) == "passkey-exists"
    assert used(db, key, 0) == "ann"
    passkeys.remove(db, act_of(db, token("ann")), key.id)
    assert refused(used, db, key, 0) == "passkey-unknown"


def test_a_passkey_is_added_by_who_is_fresh(db: sqlite3.Connection) -> None:
    """A page that was left open is not enough; sizes and numbers have a bound."""
    late = act_of(db, token("ann"), NOW + sessions.FRESH_S + 1)
    assert refused(passkeys.add, db, late, b"key", "the ring", b"public", 0) == "not-fresh"
    ann = act_of(db, token("ann"))
    assert refused(passkeys.add, db, ann, b"", "the ring", b"public", 0) == "text-too-long"
    assert refused(passkeys.add, db, ann, b"k", "the ring", b"p" * (MAX_CREDENTIAL + 1), 0) == "text-too-long"
    assert refused(passkeys.add, db, ann, b"k", " ", b"public", 0) == "text-empty"
    for number in range(MAX_PASSKEYS):
        added(db, id_=bytes([number]))
    assert refused(passkeys.add, db, ann, b"more", "the ring", b"public", 0) == "desk-full"


def test_a_count_that_does_not_grow_is_a_copy(db: sqlite3.Connection) -> None:
    """A device that does not count says 0 each time."""
    key = added(db, count=3)
    assert used(db, key, 4) == "ann"
    assert refused(used, db, key, 4) == "passkey-copied"
    assert refused(used, db, key, 0) == "passkey-copied"
    assert used(db, key, 5) == "ann"
    still = added(db, id_=b"still")
    assert used(db, still, 0) == "ann"
    assert used(db, still, 0) == "ann"


def test_a_token_and_a_disabled_person_end_passkeys(db: sqlite3.Connection) -> None:
    """Who lost a device gets a new token, and the device lets nobody in."""
    eva, key = act_of(db, token("eva")), added(db)
    people.disable(db, eva, "ann")
    assert refused(used, db, key, 0) == "person-disabled"
    people.enable(db, eva, "ann")
    assert used(db, key, 0) == "ann"
    signing_in.issue_token(db, at_command_line(NOW), "ann", seeded(5))
    assert refused(used, db, key, 0) == "passkey-unknown"


async def test_a_file_of_before_gets_the_tables(tmp_path: Path) -> None:
    """A desk that was made without them is opened, and keeps its people."""
    path = tmp_path / "desk.db"
    before = [layout for layout in LAYOUTS if layout is not SIGNING_IN]
    async with Database.open(path, before) as database:
        old = Desk(database, seeded(1), CHEAP)
        await old.write(lambda db: people.add(db, at_command_line(NOW), "ann", "Ann", [Role.READER]))
    async with Desk.open(path, seeded(1), cost=CHEAP) as desk:
        await desk.write(lambda db: links.add(db, at_command_line(NOW), "ann", ISSUER, "1"))
        begun = await desk.sign_in_linked(ISSUER, "1", fresh_at=NOW, at=NOW, address=HOME)
    assert begun.person.id == "ann"

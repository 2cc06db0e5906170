"""Passkeys: public keys with which a person signs in, each made by that person. Inside a transaction.

A person who holds the device and unlocks it counts as its owner, so a passkey is added only shortly after its person has shown who it is. A counter
that does not grow says that a passkey was copied: it then lets nobody in.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk import people, sessions, trail
from bus.desk.refusals import MAX_NAME, DeskError, check_room, check_text
from bus.desk.roles import Act, Action, check_may, not_there
from bus.desk.signing_in import SignedIn
from bus.desk.tokens import Random
from bus.storage import single

MAX_PASSKEYS = 10
"""Of one person."""
MAX_KEY_ID, MAX_CREDENTIAL = 1_023, 4_096


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey, as it is kept.

    Attributes:
        id: as the device calls it.
        person: whose it is.
        name: what its person calls it.
        credential: its public key, in the form of WebAuthn (attested credential data).
        count: how often the device says it was used; 0 if it does not count.
        at: when it was added, in seconds since the epoch.
        used_at: when somebody last signed in with it; None if nobody has.
    """

    id: bytes
    person: str
    name: str
    credential: bytes
    count: int
    at: float
    used_at: float | None


def add(db: sqlite3.Connection, act: Act, id_: bytes, name: str, credential: bytes, count: int) -> None:
    """Add a passkey of one's own.

    Raises:
        DeskError: `desk-wall`, `not-fresh`, `passkey-exists`, `desk-full`, `text-too-long`, `text-empty`, `text-unseen`.
    """
    check_may(act, Action.OWN_ACCOUNT)
    if not sessions.is_fresh(act):
        raise DeskError("sign in once more before you add a passkey", reason="not-fresh")
    name = check_text(name, MAX_NAME, "a name")
    if not 0 < len(id_) <= MAX_KEY_ID or len(credential) > MAX_CREDENTIAL:
        raise DeskError("this device makes passkeys that are too long to be kept", reason="text-too-long")
    if find(db, id_) is not None:
        raise DeskError("this passkey is here already", reason="passkey-exists")
    check_room(
        single(db, "SELECT count(*) FROM passkeys WHERE person = ?", act.who),
        MAX_PASSKEYS,
        "passkeys of yours",
    )
    db.execute(
        "INSERT INTO passkeys VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (id_, act.who, name, credential, count, act.at),
    )
    trail.add(db, act, "passkey-added", id_.hex()[:64], name)


def remove(db: sqlite3.Connection, act: Act, id_: bytes) -> None:
    """Remove a passkey of one's own.

    Raises:
        DeskError: `desk-wall`, `not-there`.
    """
    check_may(act, Action.OWN_ACCOUNT)
    found = find(db, id_)
    if found is None or found.person != act.who:
        raise not_there("passkey")
    db.execute("DELETE FROM passkeys WHERE id = ?", (id_,))
    trail.add(db, act, "passkey-removed", id_.hex()[:64], found.name)


def listed(db: sqlite3.Connection, act: Act) -> list[Passkey]:
    """One's own passkeys, the newest first.

    Raises:
        DeskError: `desk-wall`.
    """
    check_may(act, Action.OWN_ACCOUNT)
    rows = db.execute("SELECT * FROM passkeys WHERE person = ? ORDER BY at DESC, id", (act.who,))
    return [Passkey(**dict(row)) for row in rows]


def find(db: sqlite3.Connection, id_: bytes) -> Passkey | None:
    """A passkey by its id; None where there is none."""
    row = db.execute("SELECT * FROM passkeys WHERE id = ?", (id_,)).fetchone()
    return None if row is None else Passkey(**dict(row))


def sign_in(
    db: sqlite3.Connection, key: Passkey, count: int, *, at: float, address: str, random: Random
) -> SignedIn:
    """Begin a session, once the signature was verified.

    Args:
        db: inside a transaction.
        key: with which it was verified.
        count: what the device says now.
        at: the present, in seconds since the epoch.
        address: from where.
        random: random bytes.

    Raises:
        DeskError: `passkey-unknown`, it was removed since; `passkey-copied`; `person-disabled`.
    """
    held = find(db, key.id)
    if held is None or held.credential != key.credential:
        raise unknown()
    person = people.get(db, held.person)
    if not person.is_active:
        raise DeskError("you may not sign in here; ask an administrator", reason="person-disabled")
    if (count or held.count) and count <= held.count:
        raise DeskError(
            "this passkey was used elsewhere meanwhile, so it may have been copied; sign in otherwise, and remove it",
            reason="passkey-copied",
        )
    db.execute("UPDATE passkeys SET count = ?, used_at = ? WHERE id = ?", (count, at, held.id))
    token = sessions.begin(db, person.id, at, address, random)
    trail.add_sign_in(db, at, person.id, "signed-in", address, f"by the passkey {held.name}")
    return SignedIn(token=token, person=person)


def unknown() -> DeskError:
    """The error for a passkey that is not here."""
    return DeskError("nobody here has this passkey; sign in otherwise", reason="passkey-unknown")

"""Steps of a sign-in: count the attempt, look at the password outside of the transaction, then begin the session.

Hashing takes 64 MiB and a fifth of a second, so it is done between two transactions and not inside one.
`bus.desk.store.Desk` plays the steps in their order. A first password is set with a one-time token that an administrator hands over;
a new token takes the password away and ends all sessions of that person.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk import attempts, feeds, people, sessions, standing, trail
from bus.desk.people import Person
from bus.desk.refusals import MAX_ID, DeskError
from bus.desk.roles import COMMAND_LINE, Act, Action, check_may
from bus.desk.tokens import MAX_TOKEN, Random, hashed, new_secret

TOKEN_S = 24 * 3600.0
"""The time for which a token to set a password is valid."""


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions for a password.

    Attributes:
        name: as it is compared.
        person: the person with this name; empty if nobody has it.
        hash: of the password; empty if nobody may sign in with it.
        address: from where.
        at: when.
    """

    name: str
    person: str
    hash: str
    address: str
    at: float


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session that has begun: its id for the cookie, and whose it is."""

    token: str
    person: Person


def challenge(db: sqlite3.Connection, name: str, address: str, at: float) -> Challenge:
    """Count an attempt and tell what the password must fit; see `attempts.begin`.

    Raises:
        DeskError: `sign-in-wait`, `sign-in-locked`.
    """
    typed = name[: MAX_ID + 1].strip().lower()
    row = db.execute("SELECT id, password, is_active FROM people WHERE id = ?", (typed,)).fetchone()
    attempts.begin(db, typed, address, at, is_known=row is not None)
    may_try = row is not None and bool(row["is_active"])
    return Challenge(
        name=typed,
        person=row["id"] if row else "",
        hash=row["password"] if may_try else "",
        address=address,
        at=at,
    )


def challenge_again(db: sqlite3.Connection, act: Act) -> Challenge:
    """As `challenge`, for the person of a session.

    Raises:
        DeskError: `desk-wall`, `sign-in-wait`, `sign-in-locked`.
    """
    check_may(act, Action.OWN_ACCOUNT)
    return challenge(db, act.who, act.address, act.at)


def finish(
    db: sqlite3.Connection, asked: Challenge, *, is_right: bool, new_hash: str, random: Random
) -> SignedIn | None:
    """Begin a session when the password was right and still is; None otherwise. Either goes on record.

    Args:
        db: inside a transaction.
        asked: from `challenge`.
        is_right: the password fits the hash.
        new_hash: the password hashed with the parameters of now; empty where the hash has them.
        random: random bytes.
    """
    if not _is_good(db, asked, is_right=is_right):
        return None
    attempts.succeed(db, asked.name, asked.address, asked.at)
    if new_hash:
        db.execute("UPDATE people SET password = ? WHERE id = ?", (new_hash, asked.person))
    token = sessions.begin(db, asked.person, asked.at, asked.address, random)
    trail.add_sign_in(db, asked.at, asked.person, "signed-in", asked.address)
    return SignedIn(token=token, person=people.get(db, asked.person))


def confirm(
    db: sqlite3.Connection, act: Act, asked: Challenge, *, is_right: bool, random: Random
) -> str | None:
    """Note a fresh password in a session and give it a new id, which is returned; None when it was wrong."""
    if asked.person != act.who or not _is_good(db, asked, is_right=is_right):
        return None
    attempts.succeed(db, asked.name, asked.address, asked.at)
    trail.add(db, act, "signed-in-freshly")
    return sessions.renew(db, act, random)


def issue_token(db: sqlite3.Connection, act: Act, id_: str, random: Random) -> str:
    """A token with which a person sets a password, once, within a day.

    An earlier token, the password, passkeys, all sessions and feed addresses end.

    It is shown once and handed over in person: its holder counts as that person.

    Raises:
        DeskError: `desk-role`, `not-there`, `person-disabled`, `own-work`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    if act.who == id_:
        raise DeskError(
            "a token takes your own password away; change it on your own account", reason="own-work"
        )
    if not people.get(db, id_).is_active:
        raise DeskError(f"{id_} is disabled; enable this person first", reason="person-disabled")
    if act.who != COMMAND_LINE:  # an operator gives somebody a way in, and lifts nothing by that
        standing.begun_anew(db, act, id_, standing.approvers(db, act.at))
    token = new_secret(random)
    db.execute(
        "UPDATE people SET password = '', token = ?, token_until = ? WHERE id = ?",
        (hashed(token), act.at + TOKEN_S, id_),
    )
    db.execute("DELETE FROM sessions WHERE person = ?", (id_,))
    db.execute("DELETE FROM passkeys WHERE person = ?", (id_,))
    feeds.end_all(db, id_)
    trail.add(db, act, "token-issued", id_)
    return token


def holder_of(db: sqlite3.Connection, token: str, at: float) -> Person:
    """Whose a token to set a password is.

    Raises:
        DeskError: `setup-token`, it was used, is over, or never was.
    """
    row = None
    if 0 < len(token) <= MAX_TOKEN:
        row = db.execute(
            "SELECT id FROM people WHERE token = ? AND token_until > ? AND is_active", (hashed(token), at)
        ).fetchone()
    if row is None:
        raise DeskError(
            "this token is not good any more; ask an administrator for another", reason="setup-token"
        )
    return people.get(db, row["id"])


def set_first(db: sqlite3.Connection, token: str, new_hash: str, at: float, address: str) -> Person:
    """Set the password of the person who has a token, which is then void; the name is let in.

    Raises:
        DeskError: `setup-token`.
    """
    person = holder_of(db, token, at)
    db.execute(
        "UPDATE people SET password = ?, token = '', token_until = 0 WHERE id = ?", (new_hash, person.id)
    )
    db.execute("DELETE FROM sessions WHERE person = ?", (person.id,))
    attempts.let_in(db, person.id)
    trail.add_sign_in(db, at, person.id, "password-set", address)
    return person


def change(
    db: sqlite3.Connection, act: Act, asked: Challenge, *, is_right: bool, new_hash: str, random: Random
) -> str | None:
    """Change one's own password: all other sessions end, this one gets a new id. None when the old password was wrong."""
    check_may(act, Action.OWN_ACCOUNT)
    if asked.person != act.who or not _is_good(db, asked, is_right=is_right):
        return None
    attempts.succeed(db, asked.name, asked.address, asked.at)
    db.execute("UPDATE people SET password = ? WHERE id = ?", (new_hash, act.who))
    db.execute("DELETE FROM sessions WHERE person = ? AND n <> ?", (act.who, act.session))
    trail.add(db, act, "password-changed")
    return sessions.renew(db, act, random)


def let_in(db: sqlite3.Connection, act: Act, person: str) -> None:
    """Let a person in who is kept out by failed attempts.

    Raises:
        DeskError: `desk-role`, `not-there`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    people.get(db, person)
    attempts.let_in(db, person)
    trail.add(db, act, "let-in", person)


def refused(what: str = "the name or the password") -> DeskError:
    """The error for a wrong name or password: at a sign-in it does not say which of the two is wrong."""
    return DeskError(f"{what} is wrong", reason="sign-in-refused")


def _is_good(db: sqlite3.Connection, asked: Challenge, *, is_right: bool) -> bool:
    """Whether the password was right, and the person has not been changed since; records a failure."""
    row = db.execute("SELECT password, is_active FROM people WHERE id = ?", (asked.person,)).fetchone()
    if is_right and asked.hash and row is not None and row["is_active"] and row["password"] == asked.hash:
        return True
    is_locked = attempts.is_locked(db, asked.name, asked.address)
    what = "sign-in-locked" if is_locked else "sign-in-failed"
    trail.add_sign_in(db, asked.at, asked.person, what, asked.address)
    return False

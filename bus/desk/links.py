"""Links: which person of this desk a single sign-on means by its issuer and subject. An administrator makes them. Inside a transaction.

Roles, ceiling and audiences stay the desk's: nothing that a sign-on says of a person is taken over.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk import people, sessions, trail
from bus.desk.refusals import DeskError, check_room, check_text
from bus.desk.roles import Act, Action, check_may, not_there
from bus.desk.signing_in import SignedIn
from bus.desk.tokens import Random
from bus.storage import single

MAX_LINKS = 5
"""Of one person."""
MAX_ISSUER, MAX_SUBJECT = 300, 255


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A person as a sign-on knows one: its issuer, its id of the person there, and since when it is linked."""

    issuer: str
    subject: str
    person: str
    at: float


def add(db: sqlite3.Connection, act: Act, person: str, issuer: str, subject: str) -> Link:
    """Let a person sign in as this subject of this issuer.

    Raises:
        DeskError: `desk-role`, `not-there`, `link-exists`, `desk-full`, `text-too-long`, `text-empty`, `text-unseen`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    people.get(db, person)
    issuer = check_text(issuer, MAX_ISSUER, "an issuer")
    subject = check_text(subject, MAX_SUBJECT, "a subject")
    if (known := _find(db, issuer, subject)) is not None:
        raise DeskError(f"this subject is linked to {known.person} already", reason="link-exists")
    check_room(
        single(db, "SELECT count(*) FROM links WHERE person = ?", person), MAX_LINKS, "links of a person"
    )
    db.execute("INSERT INTO links VALUES (?, ?, ?, ?)", (issuer, subject, person, act.at))
    trail.add(db, act, "link-added", person, f"{subject} at {issuer}")
    return Link(issuer=issuer, subject=subject, person=person, at=act.at)


def remove(db: sqlite3.Connection, act: Act, person: str, issuer: str, subject: str) -> None:
    """Let the person sign in as this subject no more; all sessions of the person end.

    Raises:
        DeskError: `desk-role`, `not-there`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    found = _find(db, issuer, subject)
    if found is None or found.person != person:
        raise not_there("link")
    db.execute("DELETE FROM links WHERE issuer = ? AND subject = ?", (issuer, subject))
    db.execute("DELETE FROM sessions WHERE person = ?", (person,))
    trail.add(db, act, "link-removed", person, f"{subject} at {issuer}")


def listed(db: sqlite3.Connection, act: Act, person: str) -> list[Link]:
    """The links of a person.

    Raises:
        DeskError: `desk-role`, `not-there`.
    """
    check_may(act, Action.SEE_PEOPLE)
    people.get(db, person)
    rows = db.execute("SELECT * FROM links WHERE person = ? ORDER BY issuer, subject", (person,))
    return [Link(**dict(row)) for row in rows]


def sign_in(
    db: sqlite3.Connection,
    issuer: str,
    subject: str,
    *,
    fresh_at: float,
    at: float,
    address: str,
    random: Random,
) -> SignedIn:
    """Begin a session of the person whom a sign-on has shown to be there.

    Args:
        db: inside a transaction.
        issuer: of the token, verified.
        subject: of the token.
        fresh_at: when the person has shown it to the sign-on, in seconds since the epoch; 0 where that is not known.
        at: the present.
        address: from where.
        random: random bytes.

    Raises:
        DeskError: `link-missing`, `person-disabled`.
    """
    person = _linked(db, issuer, subject)
    token = sessions.begin(db, person.id, at, address, random, fresh_at=fresh_at)
    trail.add_sign_in(db, at, person.id, "signed-in", address, f"by {issuer}")
    return SignedIn(token=token, person=person)


def confirm(
    db: sqlite3.Connection, act: Act, issuer: str, subject: str, *, fresh_at: float, random: Random
) -> str:
    """Note in a session that a sign-on has asked its person again. Returns the session's new id.

    Raises:
        DeskError: `desk-wall`, `link-missing`, `person-disabled`; `own-work`, the sign-on means somebody else.
    """
    check_may(act, Action.OWN_ACCOUNT)
    if _linked(db, issuer, subject).id != act.who:
        raise DeskError("the sign-on says that you are somebody else here", reason="own-work")
    trail.add(db, act, "signed-in-freshly", "", f"by {issuer}")
    return sessions.renew(db, act, random, fresh_at=fresh_at)


def _linked(db: sqlite3.Connection, issuer: str, subject: str) -> people.Person:
    found = _find(db, issuer, subject)
    if found is None:
        raise DeskError(
            "the sign-on knows you, and this hub does not: ask an administrator to link you",
            reason="link-missing",
        )
    person = people.get(db, found.person)
    if not person.is_active:
        raise DeskError("you may not sign in here; ask an administrator", reason="person-disabled")
    return person


def _find(db: sqlite3.Connection, issuer: str, subject: str) -> Link | None:
    row = db.execute("SELECT * FROM links WHERE issuer = ? AND subject = ?", (issuer, subject)).fetchone()
    return None if row is None else Link(**dict(row))

"""People of this console: who there is, with which roles, and how far each may see. Inside a transaction.

A change holds at once, in sessions too. No person is ever deleted: their acts keep their name.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable

import msgspec

from bus.desk import feeds, standing, trail
from bus.desk.refusals import (
    MAX_AUDIENCES,
    MAX_EMAIL,
    MAX_ID,
    MAX_NAME,
    MAX_PEOPLE,
    DeskError,
    check_room,
    check_text,
)
from bus.desk.roles import COMMAND_LINE, Act, Action, Role, check_may, not_there, roles_may
from bus.policy import Clearance
from bus.storage import single
from schemas.vocab import Tlp

AUDIENCES = ("community", "public")
"""The audiences that a person sees if no others are set."""
_ID = re.compile(rf"[a-z][a-z0-9.-]{{1,{MAX_ID - 1}}}")
_EMAIL = re.compile(r"[^@\s<>\"',;]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LANG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_AUDIENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_TAKEN = frozenset({COMMAND_LINE, "-", "strangers"})


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person, as others may know it.

    Attributes:
        id: what is typed to sign in, in small letters; never used again for somebody else.
        name: as pages show it.
        roles: what the person may do, by the table `MAY`.
        clearance: what the person may see.
        lang: BCP 47, the language of pages.
        email: empty where there is none.
        is_active: may sign in.
        has_password: has set one.
        token_until: until when a token to set one is good; 0 where none was handed over, or it was used.
        made_at: seconds since the epoch.
    """

    id: str
    name: str
    roles: frozenset[Role]
    clearance: Clearance
    lang: str = "en"
    email: str = ""
    is_active: bool = True
    has_password: bool = False
    token_until: float = 0.0
    made_at: float = 0.0

    @property
    def role_names(self) -> list[str]:
        """The roles, in the order of the table."""
        return [role.value for role in Role if role in self.roles]

    @property
    def state(self) -> str:
        """`active`, `no password` or `disabled`."""
        if not self.is_active:
            return "disabled"
        return "active" if self.has_password else "no password"


def add(
    db: sqlite3.Connection,
    act: Act,
    id_: str,
    name: str,
    roles: Iterable[Role],
    *,
    ceiling: Tlp = Tlp.GREEN,
    audiences: Iterable[str] = AUDIENCES,
    lang: str = "en",
    email: str = "",
) -> Person:
    """Add a person, who cannot sign in before a token was handed over (`signing_in.issue_token`).

    Raises:
        DeskError: `desk-role`, `person-exists`, `person-malformed`, `text-too-long`, `text-empty`, `text-unseen`, `desk-full`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    if not _ID.fullmatch(id_) or id_ in _TAKEN:
        raise DeskError(
            f"an id has 2 to {MAX_ID} small letters, digits, dots or hyphens and begins with a letter, and 'command-line' is taken",
            reason="person-malformed",
        )
    if find(db, id_) is not None:
        raise DeskError(f"{id_} is there already; an id is never given twice", reason="person-exists")
    check_room(single(db, "SELECT count(*) FROM people"), MAX_PEOPLE, "people")
    row = {
        "id": id_,
        "name": check_text(name, MAX_NAME, "a name"),
        "roles": _roles(roles),
        "ceiling": Tlp(ceiling).value,
        "audiences": _audiences(audiences),
        "lang": _lang(lang),
        "email": _email(email),
        "made_at": act.at,
    }
    db.execute(
        "INSERT INTO people (id, name, roles, ceiling, audiences, lang, email, is_active, made_at) "
        "VALUES (:id, :name, :roles, :ceiling, :audiences, :lang, :email, 1, :made_at)",
        row,
    )
    standing.begun_anew(db, act, id_, ())
    trail.add(
        db, act, "person-added", id_, f"roles {row['roles']}; up to {row['ceiling']}; {row['audiences']}"
    )
    return get(db, id_)


def welcome(db: sqlite3.Connection, name: str, roles: Iterable[Role], clearance: Clearance, at: float) -> str:
    """Add a visitor of a demonstration, or let the one of this name in again. Returns the person's id, which is the name.

    Raises:
        DeskError: `desk-full`; `person-malformed`, the name of no person; texts as `check_text`.
    """
    id_ = check_text(name, MAX_NAME, "a name")
    if id_ in _TAKEN:
        raise DeskError("that name is taken; choose another", reason="person-malformed")
    if find(db, id_) is None:
        check_room(single(db, "SELECT count(*) FROM people"), MAX_PEOPLE, "people")
        db.execute(
            "INSERT INTO people (id, name, roles, ceiling, audiences, lang, email, is_active, made_at) VALUES (?, ?, ?, ?, ?, 'en', '', 1, ?)",
            (id_, id_, _roles(roles), clearance.ceiling.value, _audiences(clearance.audiences), at),
        )
    return id_


def change(
    db: sqlite3.Connection,
    act: Act,
    id_: str,
    *,
    name: str | None = None,
    roles: Iterable[Role] | None = None,
    ceiling: Tlp | None = None,
    audiences: Iterable[str] | None = None,
    lang: str | None = None,
    email: str | None = None,
) -> Person:
    """Change what is given; None leaves a thing as it is. It holds at once, in sessions too.

    Nobody changes their own roles, ceiling or audiences.

    Raises:
        DeskError: as `add`; `not-there`; `own-work`; `last-administrator`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    before = get(db, id_)
    if act.who == id_ and (roles is not None or ceiling is not None or audiences is not None):
        raise DeskError(
            "you cannot change your own roles or limits; ask another administrator", reason="own-work"
        )
    new: dict[str, str] = {}
    could_approve = standing.approvers(db, act.at)
    if name is not None:
        new["name"] = check_text(name, MAX_NAME, "a name")
    if roles is not None:
        new["roles"] = _roles(roles)
        if Role.ADMINISTRATOR in before.roles and Role.ADMINISTRATOR.value not in new["roles"].split():
            _check_not_last(db, act, before)
    if ceiling is not None:
        new["ceiling"] = Tlp(ceiling).value
    if audiences is not None:
        new["audiences"] = _audiences(audiences)
    if lang is not None:
        new["lang"] = _lang(lang)
    if email is not None:
        new["email"] = _email(email)
    for column, value in new.items():
        db.execute(f"UPDATE people SET {column} = ? WHERE id = ?", (value, id_))
    if "roles" in new:
        standing.begun_anew(db, act, id_, could_approve)
    if new:
        # Personal data is in one place: the record has only the data for decisions of others.
        told = "; ".join(
            f"{each} {new[each]}" if each in ("roles", "ceiling", "audiences") else each for each in new
        )
        trail.add(db, act, "person-changed", id_, told)
    return get(db, id_)


def check_readable(audiences: Iterable[str], readable: Collection[str]) -> None:
    """Refuse audiences that this hub does not read itself; `readable` has those, and what the person had before.

    Raises:
        DeskError: `person-malformed`.
    """
    if beyond := sorted({*audiences}.difference(readable)):
        raise DeskError(
            f"this hub does not read what is for {', '.join(beyond)[:200]}, so nobody here can",
            reason="person-malformed",
        )


def choose_language(db: sqlite3.Connection, act: Act, lang: str) -> None:
    """Change the language of one's own pages.

    Raises:
        DeskError: `desk-wall`, `desk-role`, `person-malformed`.
    """
    check_may(act, Action.OWN_ACCOUNT)
    db.execute("UPDATE people SET lang = ? WHERE id = ?", (_lang(lang), act.who))


def disable(db: sqlite3.Connection, act: Act, id_: str) -> None:
    """Block a person's sign-in, end all sessions and feed addresses of that person, and make a token void. The person's acts stay.

    Raises:
        DeskError: `desk-role`, `not-there`, `own-work`, `last-administrator`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    person = get(db, id_)
    if act.who == id_:
        raise DeskError("you cannot disable yourself; ask another administrator", reason="own-work")
    if Role.ADMINISTRATOR in person.roles:
        _check_not_last(db, act, person)
    standing.set_aside(db, act, id_, standing.approvers(db, act.at))
    db.execute("UPDATE people SET is_active = 0, token = '', token_until = 0 WHERE id = ?", (id_,))
    db.execute("DELETE FROM sessions WHERE person = ?", (id_,))
    feeds.end_all(db, id_)
    trail.add(db, act, "person-disabled", id_)


def enable(db: sqlite3.Connection, act: Act, id_: str) -> None:
    """Let a person sign in again, with the password of before.

    Raises:
        DeskError: `desk-role`, `not-there`.
    """
    check_may(act, Action.CHANGE_PEOPLE)
    get(db, id_)
    standing.begun_anew(db, act, id_, ())
    db.execute("UPDATE people SET is_active = 1 WHERE id = ?", (id_,))
    trail.add(db, act, "person-enabled", id_)


def listed(db: sqlite3.Connection, act: Act) -> list[Person]:
    """All people, by id.

    Raises:
        DeskError: `desk-role`.
    """
    check_may(act, Action.SEE_PEOPLE)
    return _every(db)


def administrators(db: sqlite3.Connection) -> list[str]:
    """The names of the active administrators, for pages that say who helps."""
    return sorted(each.name for each in _every(db) if each.is_active and Role.ADMINISTRATOR in each.roles)


def names(db: sqlite3.Connection) -> dict[str, str]:
    """The name of everybody by id, for pages that say who did something."""
    return {row["id"]: row["name"] for row in db.execute("SELECT id, name FROM people")}


def find(db: sqlite3.Connection, id_: str) -> Person | None:
    """A person by id; None where there is none."""
    row = db.execute("SELECT * FROM people WHERE id = ?", (id_,)).fetchone()
    return None if row is None else _person(row)


def may_now(db: sqlite3.Connection, id_: str, action: Action) -> bool:
    """Whether a person is here, active, and may do this."""
    person = find(db, id_)
    return person is not None and person.is_active and roles_may(person.roles, action)


def get(db: sqlite3.Connection, id_: str) -> Person:
    """A person by id.

    Raises:
        DeskError: `not-there`.
    """
    if (person := find(db, id_)) is None:
        raise not_there("person")
    return person


def _every(db: sqlite3.Connection) -> list[Person]:
    return [_person(row) for row in db.execute("SELECT * FROM people ORDER BY id")]


def _person(row: sqlite3.Row) -> Person:
    return Person(
        id=row["id"],
        name=row["name"],
        roles=frozenset(map(Role, row["roles"].split())),
        clearance=Clearance(Tlp(row["ceiling"]), frozenset(row["audiences"].split())),
        lang=row["lang"],
        email=row["email"],
        is_active=bool(row["is_active"]),
        has_password=bool(row["password"]),
        token_until=row["token_until"],
        made_at=row["made_at"],
    )


def _check_not_last(db: sqlite3.Connection, act: Act, person: Person) -> None:
    if act.who == COMMAND_LINE or not person.is_active:
        return  # an operator can always make another one
    others = [
        each
        for each in map(_person, db.execute("SELECT * FROM people WHERE is_active AND id <> ?", (person.id,)))
        if Role.ADMINISTRATOR in each.roles
    ]
    if not others:
        raise DeskError(
            "this is the last administrator who may sign in; make another one first",
            reason="last-administrator",
        )


def _roles(roles: Iterable[Role]) -> str:
    chosen = set(map(Role, roles))
    if not chosen:
        raise DeskError("a person has one role at least", reason="person-malformed")
    return " ".join(role.value for role in Role if role in chosen)


def _audiences(audiences: Iterable[str]) -> str:
    chosen = sorted(set(audiences))
    if len(chosen) > MAX_AUDIENCES or not all(map(_AUDIENCE.fullmatch, chosen)):
        raise DeskError(
            f"audiences are at most {MAX_AUDIENCES} ids in small letters, as the registry has them",
            reason="person-malformed",
        )
    return " ".join(chosen)


def _lang(lang: str) -> str:
    if not _LANG.fullmatch(lang):
        raise DeskError("a language is a tag like en or et", reason="person-malformed")
    return lang


def _email(email: str) -> str:
    if email and not (len(email) <= MAX_EMAIL and email.isprintable() and _EMAIL.fullmatch(email)):
        raise DeskError("an e-mail address is like duty@office.example", reason="person-malformed")
    return email

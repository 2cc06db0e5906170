"""People: who may be added and changed, by whom; and that a change holds at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from bus.desk import Act, DeskError, Role, at_command_line, people, sessions, signing_in, trail
from bus.desk.refusals import MAX_PEOPLE
from bus.policy import Clearance
from schemas.vocab import Tlp
from tests.support.desks import HOME, NOW, act_of, bare, person, seeded, signed_in

OPERATOR = at_command_line(NOW)

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no id": ({"id_": ""}, "person-malformed"),
    "an id of one letter": ({"id_": "a"}, "person-malformed"),
    "capital letters": ({"id_": "Ann"}, "person-malformed"),
    "a blank": ({"id_": "ann example"}, "person-malformed"),
    "a line after it": ({"id_": "ann\n"}, "person-malformed"),
    "an id that is too long": ({"id_": "a" * 41}, "person-malformed"),
    "the id of the command line": ({"id_": "command-line"}, "person-malformed"),
    "a letter that looks like another": ({"id_": "аnn"}, "person-malformed"),
    "no name": ({"name": " "}, "text-empty"),
    "a name that is too long": ({"name": "x" * 81}, "text-too-long"),
    "a name that turns around": ({"name": "Ann \u202egnp.exe"}, "text-unseen"),
    "a name that steers a terminal": ({"name": "Ann\x1b[2J"}, "text-unseen"),
    "no role": ({"roles": ()}, "person-malformed"),
    "an audience that is none": ({"audiences": ("EU CSIRTs",)}, "person-malformed"),
    "too many audiences": ({"audiences": [f"a{n}" for n in range(101)]}, "person-malformed"),
    "a language that is none": ({"lang": "English"}, "person-malformed"),
    "an address without a host": ({"email": "ann@"}, "person-malformed"),
    "two addresses": ({"email": "a@x.example,b@x.example"}, "person-malformed"),
    "a header in an address": ({"email": "a@x.example\r\nBcc: b@x.example"}, "person-malformed"),
}


def add(db: sqlite3.Connection, by: Act = OPERATOR, **changes: Any) -> people.Person:
    """A person, in one thing otherwise than usual."""
    usual: dict[str, Any] = {"id_": "ann", "name": "Ann Example", "roles": (Role.READER,)}
    return people.add(db, by, **(usual | changes))


@pytest.mark.parametrize(("changes", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_what_no_person_can_have_is_refused(changes: dict[str, Any], reason: str) -> None:
    """And nobody is added."""
    db = bare()
    with pytest.raises(DeskError) as refused:
        add(db, **changes)
    assert refused.value.reason == reason
    assert people.listed(db, OPERATOR) == []


@pytest.mark.parametrize("role", ["root", "", "administrator "])
def test_a_role_that_there_is_not_is_a_bug_of_who_calls(role: str) -> None:
    """The command line and forms offer those that there are."""
    with pytest.raises(ValueError, match="not a valid Role"):
        add(bare(), roles=(role,))


def test_a_person_is_as_added() -> None:
    """Roles in the order of the table, whatever the order they came in."""
    db = bare()
    made = add(
        db,
        roles=[Role.APPROVER, Role.READER],
        ceiling=Tlp.AMBER,
        audiences=["eu-csirts"],
        email="a@x.example",
    )
    assert made == people.get(db, "ann")
    assert made.clearance == Clearance(Tlp.AMBER, frozenset({"eu-csirts"}))
    assert (made.roles, made.has_password, made.is_active) == (
        frozenset({Role.READER, Role.APPROVER}),
        False,
        True,
    )


def test_an_id_is_never_given_twice() -> None:
    """Nor when the person is disabled: what was done keeps its name."""
    db = bare()
    add(db)
    people.disable(db, OPERATOR, "ann")
    with pytest.raises(DeskError) as refused:
        add(db)
    assert refused.value.reason == "person-exists"


def test_people_have_a_bound() -> None:
    """Disabled ones count."""
    db = bare()
    db.executemany(
        "INSERT INTO people (id, name, roles, ceiling, audiences, lang, email, is_active, made_at) "
        "VALUES (?, 'x', 'reader', 'green', '', 'en', '', 0, 0)",
        [(f"p{n}",) for n in range(MAX_PEOPLE)],
    )
    with pytest.raises(DeskError) as refused:
        add(db)
    assert refused.value.reason == "desk-full"


CHANGES: dict[str, Callable[[sqlite3.Connection, Act], object]] = {
    "add": lambda db, act: people.add(db, act, "new", "New", [Role.READER]),
    "change": lambda db, act: people.change(db, act, "bob", name="Robert"),
    "disable": lambda db, act: people.disable(db, act, "bob"),
    "enable": lambda db, act: people.enable(db, act, "bob"),
    "token": lambda db, act: signing_in.issue_token(db, act, "bob", seeded()),
    "let in": lambda db, act: signing_in.let_in(db, act, "bob"),
    "list": people.listed,
    "audit": trail.read,
    "sessions of another": lambda db, act: sessions.listed(db, act, "bob"),
    "sessions of all": sessions.listed,
    "end all sessions of another": lambda db, act: sessions.end_all(db, act, "bob"),
}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_who_is_no_administrator_keeps_no_people(
    change: Callable[[sqlite3.Connection, Act], object], role: Role
) -> None:
    """Whatever other role they have."""
    db = bare()
    person(db, "bob")
    with pytest.raises(DeskError) as refused:
        change(db, person(db, "ann", role))
    assert refused.value.reason == "desk-role"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_administrator_keeps_people(change: Callable[[sqlite3.Connection, Act], object]) -> None:
    """And so does the command line."""
    db = bare()
    person(db, "bob")
    change(db, person(db, "ann", Role.ADMINISTRATOR))
    if "add" not in change.__code__.co_names:
        change(db, OPERATOR)


@pytest.mark.parametrize(
    "change", [{"roles": [Role.READER]}, {"ceiling": Tlp.RED}, {"audiences": ["eu-csirts"]}]
)
def test_nobody_changes_their_own_roles_or_sight(change: dict[str, Any]) -> None:
    """Another administrator does."""
    db = bare()
    act = person(db, "ann", Role.ADMINISTRATOR)
    with pytest.raises(DeskError) as refused:
        people.change(db, act, "ann", **change)
    assert refused.value.reason == "own-work"


def test_the_last_administrator_stays() -> None:
    """Two cannot take it from each other one after the other; the command line can, for it can make another one."""
    db = bare()
    ann = person(db, "ann", Role.ADMINISTRATOR)
    person(db, "bob", Role.ADMINISTRATOR)
    people.change(db, ann, "bob", roles=[Role.READER])
    with pytest.raises(DeskError) as refused:
        people.disable(db, ann, "ann")
    assert refused.value.reason == "own-work"
    bob = person(db, "carl", Role.ADMINISTRATOR)
    people.disable(db, ann, "carl")
    with pytest.raises(DeskError) as last:
        people.disable(db, bob, "ann")
    assert last.value.reason == "last-administrator"
    people.disable(db, OPERATOR, "ann")


def test_a_change_holds_in_a_session_that_is_open() -> None:
    """Roles and sight are read with each use."""
    db = bare()
    token = signed_in(db, "ann", Role.ANALYST)
    people.change(db, OPERATOR, "ann", roles=[Role.READER], ceiling=Tlp.CLEAR, audiences=["public"])
    act = act_of(db, token)
    assert (act.roles, act.clearance) == (
        frozenset({Role.READER}),
        Clearance(Tlp.CLEAR, frozenset({"public"})),
    )


def test_a_disabled_person_has_no_session_and_no_token() -> None:
    """And gets none before being enabled."""
    db = bare()
    token = signed_in(db, "ann")
    setup = signing_in.issue_token(db, OPERATOR, "ann", seeded(1))
    people.disable(db, OPERATOR, "ann")
    for refused_by in (
        lambda: sessions.acting(db, token, NOW, HOME),
        lambda: signing_in.holder_of(db, setup, NOW),
        lambda: signing_in.issue_token(db, OPERATOR, "ann", seeded(2)),
    ):
        with pytest.raises(DeskError):
            refused_by()
    people.enable(db, OPERATOR, "ann")
    assert people.get(db, "ann").is_active


def test_what_is_recorded_of_a_change_is_no_address_and_no_name() -> None:
    """Personal data stands in one place."""
    db = bare()
    add(db, email="ann@office.example")
    people.change(db, OPERATOR, "ann", email="other@office.example", name="Other Name", roles=[Role.ANALYST])
    told = " ".join(entry.detail for entry in trail.read(db, OPERATOR))
    assert "office.example" not in told
    assert "Other" not in told
    assert "roles analyst" in told


def test_a_person_chooses_a_language() -> None:
    """Whatever the role."""
    db = bare()
    people.choose_language(db, person(db, "ann", Role.ADMINISTRATOR), "et")
    assert people.get(db, "ann").lang == "et"


def test_all_names_are_known_for_pages() -> None:
    """Also of those who are disabled."""
    db = bare()
    add(db)
    people.disable(db, OPERATOR, "ann")
    assert people.names(db) == {"ann": "Ann Example"}

"""What an administrator changes about people counts for approvals a day later: nobody makes two pairs of eyes out of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec
import pytest

from bus.desk import Act, DeskError, Role, approvals, at_command_line, drafts, four_eyes, people, signing_in
from bus.desk.standing import DAY_S
from schemas.vocab import Tlp
from tests.support.desks import NOW, bare, person, seeded

LATER = NOW + 30 * DAY_S
"""The desk is no longer being set up."""


def at(act: Act, moment: float) -> Act:
    """Somebody at another moment, freshly signed in."""
    return msgspec.structs.replace(act, at=moment, fresh_at=moment)


def of(db: sqlite3.Connection, id_: str, moment: float) -> Act:
    """Somebody with the roles of now."""
    found = people.get(db, id_)
    return Act(who=id_, roles=found.roles, clearance=found.clearance, at=moment, fresh_at=moment)


def begun(db: sqlite3.Connection, by: Act) -> drafts.Draft:
    """A draft."""
    return drafts.begin(db, by, "a false date", b"one", Tlp.GREEN, "community")


def desk_of(*roles: Role) -> tuple[sqlite3.Connection, Act]:
    """A desk with an administrator who also has these roles, and a publisher and an approver of their own."""
    db = bare()
    mara = person(db, "mara", Role.ADMINISTRATOR, *roles)
    person(db, "ann", Role.PUBLISHER)
    person(db, "bob", Role.APPROVER)
    return db, at(mara, LATER)


def add_puppet(db: sqlite3.Connection, mara: Act) -> str:
    """A second person out of nothing."""
    people.add(db, mara, "eve", "Name of eve", [Role.APPROVER])
    return "eve"


def take_over(db: sqlite3.Connection, mara: Act) -> str:
    """The way in of the one who approves."""
    signing_in.issue_token(db, mara, "bob", seeded())
    return "bob"


def promote(db: sqlite3.Connection, mara: Act) -> str:
    """A role for somebody who is there for something else."""
    people.change(db, mara, "ann", roles=[Role.APPROVER])
    return "ann"


def restore(db: sqlite3.Connection, mara: Act) -> str:
    """Somebody who was set aside long ago."""
    people.disable(db, at_command_line(LATER - 9 * DAY_S), "bob")
    people.enable(db, mara, "bob")
    return "bob"


@pytest.mark.parametrize("trick", [add_puppet, take_over, promote, restore])
def test_a_second_person_of_an_administrators_making_approves_nothing_for_a_day(
    trick: Callable[[sqlite3.Connection, Act], str],
) -> None:
    """Then it does, for a day is long enough that somebody sees it; an operator on the machine lifts it at once."""
    db, mara = desk_of(Role.PUBLISHER)
    draft = begun(db, mara)
    helper = trick(db, mara)
    for moment, holds in ((LATER, False), (LATER + DAY_S - 1, False), (LATER + DAY_S, True)):
        asked = approvals.ask(db, at(mara, moment), draft.n, draft.digest)
        if holds:
            approvals.approve(db, of(db, helper, moment), asked.n, draft.digest)
        else:
            with pytest.raises(DeskError) as refused:
                approvals.approve(db, of(db, helper, moment), asked.n, draft.digest)
            assert refused.value.reason == "changed-lately"
            assert f"Name of {helper}" not in four_eyes.may_approve(db, draft.n, moment)
            approvals.withdraw(db, at(mara, moment), asked.n)
    db, mara = desk_of(Role.PUBLISHER)
    draft = begun(db, mara)
    helper = trick(db, mara)
    asked = approvals.ask(db, mara, draft.n, draft.digest)
    people.change(db, at_command_line(LATER), helper, roles=[Role.APPROVER])
    assert approvals.approve(db, of(db, helper, LATER), asked.n, draft.digest).state == "approved"


def take_role(db: sqlite3.Connection, by: Act) -> None:
    """The role of the only approver."""
    people.change(db, by, "bob", roles=[Role.READER])


def set_aside(db: sqlite3.Connection, by: Act) -> None:
    """The only approver."""
    people.disable(db, by, "bob")


def lock_out(db: sqlite3.Connection, by: Act) -> None:
    """The only approver, who has no way in before the token is handed over."""
    signing_in.issue_token(db, by, "bob", seeded())


@pytest.mark.parametrize("trick", [take_role, set_aside, lock_out])
def test_who_takes_the_approver_away_publishes_nothing_alone_for_a_day(
    trick: Callable[[sqlite3.Connection, Act], None],
) -> None:
    """It is said that nobody can approve now; what an operator does on the machine holds at once."""
    db, mara = desk_of(Role.PUBLISHER)
    draft = begun(db, mara)
    trick(db, mara)
    with pytest.raises(DeskError) as refused:
        four_eyes.hand_on(db, mara, draft.n, draft.digest)
    assert refused.value.reason == "approval-needed"
    assert "nobody here can approve now" in str(refused.value)
    assert four_eyes.is_needed(db, at(mara, LATER + DAY_S - 1))
    assert four_eyes.is_needed(db, at(mara, LATER + DAY_S)) is (trick is lock_out)
    people.change(db, at_command_line(LATER), "bob", roles=[Role.READER])
    assert four_eyes.hand_on(db, mara, draft.n, draft.digest).approved_by == ""


def test_no_administrator_approves_what_a_person_of_their_own_making_asks_for() -> None:
    """Who has the roles of an administrator and an approver makes no publisher; another approver approves it."""
    db, mara = desk_of(Role.APPROVER)
    people.add(db, mara, "eve", "Eve", [Role.PUBLISHER])
    eve = of(db, "eve", LATER)
    draft = begun(db, eve)
    asked = approvals.ask(db, eve, draft.n, draft.digest)
    with pytest.raises(DeskError) as refused:
        approvals.approve(db, mara, asked.n, draft.digest)
    assert refused.value.reason == "changed-lately"
    assert approvals.approve(db, of(db, "bob", LATER), asked.n, draft.digest).state == "approved"


def test_a_desk_that_is_set_up_waits_for_nothing() -> None:
    """In its first day everybody counts at once, and an office that gets its first approver goes on alone until that one counts."""
    db = bare()
    mara = person(db, "mara", Role.ADMINISTRATOR)
    people.add(db, mara, "ann", "Ann", [Role.PUBLISHER])
    people.add(db, mara, "bob", "Bob", [Role.APPROVER])
    ann = of(db, "ann", NOW)
    draft = begun(db, ann)
    asked = approvals.ask(db, ann, draft.n, draft.digest)
    assert approvals.approve(db, of(db, "bob", NOW), asked.n, draft.digest).state == "approved"
    people.change(db, at_command_line(NOW), "bob", roles=[Role.READER])
    people.change(db, at(mara, LATER), "bob", roles=[Role.APPROVER])
    assert not four_eyes.is_needed(db, at(ann, LATER))
    assert four_eyes.is_needed(db, at(ann, LATER + DAY_S))

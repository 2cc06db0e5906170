"""Who may do what: the whole table, each action by each role, and what a wall and the command line may."""

from __future__ import annotations

import pytest

from bus.desk import MAY, Act, Action, DeskError, Role, at_command_line, may, tlp_rank
from bus.desk.roles import About, check_may, check_sees
from bus.policy import Clearance
from schemas.vocab import Tlp

# R reader, A analyst, D duty officer, P publisher, V approver, M administrator: as the guide of the console says it.
TABLE = {
    "look": "RADPV-",
    "search": "RADPV-",
    "download": "RADPV-",
    "export": "RADPV-",
    "mark-seen": "RADPV-",
    "save-view": "RADPV-",
    "write-note": "-AD---",
    "write-journal": "-AD---",
    "decide-incident": "-AD---",
    "answer": "-AD---",
    "acknowledge": "--D---",
    "snooze": "--D---",
    "hand-over": "--D---",
    "open-wall": "--D---",
    "read-drafts": "---PV-",
    "draft": "---P--",
    "ask-approval": "---P--",
    "publish": "---P--",
    "approve": "----V-",
    "see-people": "-----M",
    "change-people": "-----M",
    "end-sessions": "-----M",
    "read-audit": "-----M",
    "own-account": "RADPVM",
    "see-system": "RADPVM",
    "see-wall": "RADPV-",
}
CELLS = [
    (action, role, letter != "-")
    for action, row in TABLE.items()
    for role, letter in zip(Role, row, strict=True)
]


def somebody(*roles: Role, is_wall: bool = False) -> Act:
    """One who acts."""
    clearance = Clearance(Tlp.AMBER, frozenset({"community"}))
    return Act(who="ann", roles=frozenset(roles), clearance=clearance, at=0.0, is_wall=is_wall)


def test_each_action_has_a_row() -> None:
    """And no other."""
    assert [action.value for action in Action] == list(TABLE)
    assert set(MAY) == set(Action)


@pytest.mark.parametrize(("action", "role", "is_allowed"), CELLS, ids=[f"{a} {r}" for a, r, _ in CELLS])
def test_each_action_by_each_role(action: str, role: Role, is_allowed: bool) -> None:
    """What may not be done is refused with its reason."""
    act = somebody(role)
    assert may(act, Action(action)) is is_allowed
    if is_allowed:
        check_may(act, Action(action))
        return
    with pytest.raises(DeskError) as refused:
        check_may(act, Action(action))
    assert refused.value.reason == "desk-role"


@pytest.mark.parametrize("action", Action)
def test_two_roles_may_what_either_may(action: Action) -> None:
    """So an administrator who is to see content has a second role."""
    for first in Role:
        for second in Role:
            both = may(somebody(first, second), action)
            assert both == (may(somebody(first), action) or may(somebody(second), action))


@pytest.mark.parametrize("action", Action)
def test_a_wall_shows_its_page_whatever_the_roles(action: Action) -> None:
    """And does nothing else."""
    wall = somebody(*Role, is_wall=True)
    assert may(wall, action) == (action is Action.SEE_WALL)
    if action is not Action.SEE_WALL:
        with pytest.raises(DeskError) as refused:
            check_may(wall, action)
        assert refused.value.reason == "desk-wall"


@pytest.mark.parametrize("action", Action)
def test_the_command_line_keeps_people_and_sees_no_content(action: Action) -> None:
    """It is an operator on the machine."""
    of_people = {Action.SEE_PEOPLE, Action.CHANGE_PEOPLE, Action.END_SESSIONS, Action.READ_AUDIT}
    assert may(at_command_line(0.0), action) == (action in of_people)


def test_no_role_at_all_may_nothing() -> None:
    """Not even its own account."""
    assert not any(may(somebody(), action) for action in Action)


def test_ranks_grow_with_narrowness() -> None:
    """As the projection has them."""
    assert {tlp.value: tlp_rank(tlp) for tlp in Tlp} == {
        "clear": 0,
        "green": 1,
        "amber": 2,
        "amber+strict": 3,
        "red": 4,
    }


def test_what_may_not_be_seen_is_refused_as_if_it_were_not_there() -> None:
    """So nobody learns that there is such a thing."""
    with pytest.raises(DeskError) as refused:
        check_sees(somebody(Role.READER), About("bulletin", "x", Tlp.RED, "community"))
    assert (refused.value.reason, str(refused.value)) == ("not-there", "there is no such bulletin here")

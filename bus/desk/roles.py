"""The rights of people: roles, actions, and the one table that joins them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from bus.desk.refusals import DeskError
from bus.policy import Clearance
from schemas.vocab import TLP_RANK, Tlp

COMMAND_LINE = "command-line"
"""The actor for an operator on the machine itself; nobody has this id."""


class Role(StrEnum):
    """The task of a person; one may have several."""

    READER = "reader"
    ANALYST = "analyst"
    DUTY = "duty-officer"
    PUBLISHER = "publisher"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"


class Action(StrEnum):
    """Actions in the console or about it."""

    LOOK = "look"
    SEARCH = "search"
    DOWNLOAD = "download"
    EXPORT = "export"
    MARK_SEEN = "mark-seen"
    SAVE_VIEW = "save-view"
    WRITE_NOTE = "write-note"
    WRITE_JOURNAL = "write-journal"
    DECIDE_INCIDENT = "decide-incident"
    ANSWER = "answer"
    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    HAND_OVER = "hand-over"
    OPEN_WALL = "open-wall"
    READ_DRAFTS = "read-drafts"
    DRAFT = "draft"
    ASK_APPROVAL = "ask-approval"
    PUBLISH = "publish"
    APPROVE = "approve"
    SEE_PEOPLE = "see-people"
    CHANGE_PEOPLE = "change-people"
    END_SESSIONS = "end-sessions"
    READ_AUDIT = "read-audit"
    OWN_ACCOUNT = "own-account"
    SEE_SYSTEM = "see-system"
    SEE_WALL = "see-wall"


_R, _A, _D, _P, _V, _M = Role
_CONTENT = frozenset({_R, _A, _D, _P, _V})
_DESK = frozenset({_A, _D})

MAY: Mapping[Action, frozenset[Role]] = MappingProxyType(
    {
        Action.LOOK: _CONTENT,
        Action.SEARCH: _CONTENT,
        Action.DOWNLOAD: _CONTENT,
        Action.EXPORT: _CONTENT,
        Action.MARK_SEEN: _CONTENT,
        Action.SAVE_VIEW: _CONTENT,
        Action.WRITE_NOTE: _DESK,
        Action.WRITE_JOURNAL: _DESK,
        Action.DECIDE_INCIDENT: _DESK,
        Action.ANSWER: _DESK,
        Action.ACKNOWLEDGE: frozenset({_D}),
        Action.SNOOZE: frozenset({_D}),
        Action.HAND_OVER: frozenset({_D}),
        Action.OPEN_WALL: frozenset({_D}),
        Action.READ_DRAFTS: frozenset({_P, _V}),
        Action.DRAFT: frozenset({_P}),
        Action.ASK_APPROVAL: frozenset({_P}),
        Action.PUBLISH: frozenset({_P}),
        Action.APPROVE: frozenset({_V}),
        Action.SEE_PEOPLE: frozenset({_M}),
        Action.CHANGE_PEOPLE: frozenset({_M}),
        Action.END_SESSIONS: frozenset({_M}),
        Action.READ_AUDIT: frozenset({_M}),
        Action.OWN_ACCOUNT: frozenset(Role),
        Action.SEE_SYSTEM: frozenset(Role),
        Action.SEE_WALL: _CONTENT,
    }
)
"""The actions of each role. An administrator sees people and no content; a person who must see both has two roles."""

_OF_OPERATORS = frozenset({Action.SEE_PEOPLE, Action.CHANGE_PEOPLE, Action.END_SESSIONS, Action.READ_AUDIT})
OF_WALLS = frozenset({Action.SEE_WALL})
"""A wall screen shows its one page and does nothing else."""
NO_CONTENT = Clearance(Tlp.CLEAR, frozenset())
"""The clearance of who may not look at content: nothing is said to nobody."""


def tlp_rank(tlp: Tlp) -> int:
    """0 for CLEAR to 4 for RED: what is narrower has more."""
    return TLP_RANK[tlp]


class About(msgspec.Struct, frozen=True):
    """The subject of a person's text, with its marking: the text is shown only to people who may see the subject.

    Attributes:
        kind: `bulletin`, `alarm` or `incident`.
        id: the bulletin's id, the alarm's name, the incident's id.
        tlp: its marking; of an incident the narrowest of its bulletins.
        audience: its audience.
    """

    kind: str
    id: str
    tlp: Tlp
    audience: str


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """The actor, the time and the address of an act; made from a session by `bus.desk.sessions.acting`, in the same transaction.

    Attributes:
        who: the person's id, or `COMMAND_LINE`.
        roles: the person's roles; a wall has none.
        clearance: what may be shown.
        at: the present, in seconds since the epoch.
        address: from where.
        session: the number of the session; 0 without one.
        fresh_at: when the person last gave a password in this session.
        used_at: when the session was last used, as it is written.
        is_wall: a wall screen, which looks and does nothing else.
        is_visitor: of a demonstration, where who gives a name is a person; such people are not listed.
    """

    who: str
    roles: frozenset[Role]
    clearance: Clearance
    at: float
    address: str = ""
    session: int = 0
    fresh_at: float = 0.0
    used_at: float = 0.0
    is_wall: bool = False
    is_visitor: bool = False


def at_command_line(at: float) -> Act:
    """An operator on the machine itself, who keeps people and sees no content."""
    return Act(who=COMMAND_LINE, roles=frozenset(), clearance=NO_CONTENT, at=at)


def may(act: Act, action: Action) -> bool:
    """Whether the actor may do this."""
    if act.who == COMMAND_LINE:
        return action in _OF_OPERATORS
    if act.is_wall:
        return action in OF_WALLS
    return roles_may(act.roles, action)


def roles_may(roles: Iterable[Role], action: Action) -> bool:
    """Whether somebody with these roles may do this."""
    return not MAY[action].isdisjoint(roles)


def check_may(act: Act, action: Action) -> None:
    """Refuse what the one who acts may not do.

    Raises:
        DeskError: `desk-role`, `desk-wall`.
    """
    if not may(act, action):
        raise refusal(action, is_wall=act.is_wall)


def refusal(action: Action, *, is_wall: bool) -> DeskError:
    """The error for what somebody may not do: `desk-wall` for a wall, else `desk-role` with the roles that may."""
    if is_wall:
        return DeskError("a wall screen shows and does nothing else", reason="desk-wall")
    wanted = " or ".join(role.value for role in Role if role in MAY[action])
    return DeskError(
        f"this needs the role {wanted}; ask an administrator of this console for it", reason="desk-role"
    )


def check_sees(act: Act, about: About) -> None:
    """Refuse what is about something that the one who acts may not see, in the words for what is not there.

    Raises:
        DeskError: `not-there`.
    """
    if not act.clearance.sees(about.tlp, about.audience):
        raise not_there(about.kind)


def not_there(what: str) -> DeskError:
    """There is no such thing, or this person may not see it: both give the same error."""
    return DeskError(f"there is no such {what} here", reason="not-there")

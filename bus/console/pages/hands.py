"""Who has a hand in a draft, and where it stands between its writers, its approver and the hub: as the desk tells it."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus import desk
from bus.desk import Act, Action, four_eyes, handed_on
from bus.desk.approvals import Approval, State
from bus.desk.drafts import Draft
from bus.policy import MARKINGS
from bus.storage import utc
from schemas.vocab import Tlp


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request for approval, and what became of it.

    Attributes:
        n: its number.
        state: `asked`, `approved`, `declined`, `withdrawn`, `spent`, or `over` when its time has passed.
        version: the version that was shown.
        digest: of the bytes that were shown.
        by: who asked.
        at: when.
        until: when it ends.
        decided_by: who approved, declined or withdrew it; empty while nobody has.
        why: why it was declined.
    """

    n: int
    state: str
    version: int
    digest: str
    by: str
    at: dt.datetime
    until: dt.datetime
    decided_by: str = ""
    why: str = ""


class Hands(msgspec.Struct, frozen=True, kw_only=True):
    """The people of a draft, and what its reader may do with it.

    Attributes:
        authors: who has written at it, by name.
        needs_two: whether a second person must approve it before this reader publishes it.
        approvers: who may approve it, by name.
        request: the newest request for an approval of its present version.
        is_author: whether the reader has written at it, or has asked for its approval.
        may_write: whether the reader may change it.
        may_ask: whether the reader may ask for an approval now.
        may_withdraw: whether the reader may take back the request.
        may_approve: whether the reader may approve it now.
        may_publish: whether the reader may publish it now.
        is_fresh: whether the reader gave a password a moment ago.
        is_unanswered: whether it was handed to the hub, and nobody knows what became of it.
        closed: `published`, `given-up`, or empty while it is open.
        bulletin: what it has become; empty while it has not.
    """

    authors: tuple[str, ...]
    needs_two: bool
    approvers: tuple[str, ...]
    request: Request | None
    is_author: bool
    may_write: bool
    may_ask: bool
    may_withdraw: bool
    may_approve: bool
    may_publish: bool
    is_fresh: bool
    is_unanswered: bool
    closed: str = ""
    bulletin: str = ""


class AtDesk(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a draft with its people."""

    draft: Draft
    hands: Hands
    saved_by: str

    @property
    def tlp(self) -> Tlp:
        """The marking of the draft."""
        return MARKINGS[self.draft.tlp]


def of_draft(db: sqlite3.Connection, act: Act, n: int, version: int = 0) -> AtDesk:
    """A draft as it is now, or a version of it.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
    """
    draft = desk.drafts.get(db, act, n, version)
    is_last = not version or desk.drafts.get(db, act, n).version == version
    names = desk.people.names(db)
    authors = desk.drafts.authors(db, n)
    asked = [each for each in desk.approvals.of_draft(db, act, n) if each.version == draft.version]
    newest = asked[-1] if asked else None
    state = "" if newest is None else _state(newest, act.at)
    handed = handed_on.of_version(db, n, draft.version)
    needed = four_eyes.is_needed(db, act)
    is_open = not draft.closed_why and is_last
    stands = handed is not None and not four_eyes.is_over(db, act, handed)
    is_granted = state == State.APPROVED or stands
    is_author = act.who in authors or (newest is not None and newest.by == act.who)
    return AtDesk(
        draft=draft,
        saved_by=names.get(draft.by, draft.by),
        hands=Hands(
            authors=tuple(names.get(each, each) for each in sorted(authors)),
            needs_two=needed,
            approvers=four_eyes.may_approve(db, n, act.at),
            request=None if newest is None else _request(newest, state, names),
            is_author=is_author,
            may_write=is_open and desk.may(act, Action.DRAFT),
            may_ask=is_open
            and not stands
            and desk.may(act, Action.ASK_APPROVAL)
            and state not in (State.ASKED, State.APPROVED),
            may_withdraw=is_open
            and newest is not None
            and newest.by == act.who
            and state in (State.ASKED, State.APPROVED),
            may_approve=is_open and state == State.ASKED and not is_author and desk.may(act, Action.APPROVE),
            may_publish=is_open and desk.may(act, Action.PUBLISH) and (is_granted or not needed),
            is_fresh=desk.sessions.is_fresh(act),
            is_unanswered=handed is not None and handed.is_unanswered,
            closed=draft.closed_why,
            bulletin=handed.bulletin if handed is not None else "",
        ),
    )


def _state(each: Approval, at: float) -> str:
    if each.state in (State.ASKED, State.APPROVED) and at >= each.until:
        return "over"
    return str(each.state)


def _request(each: Approval, state: str, names: dict[str, str]) -> Request:
    decided = each.decided_by or ""
    return Request(
        n=each.n,
        state=state,
        version=each.version,
        digest=each.digest,
        by=names.get(each.by, each.by),
        at=utc(each.at),
        until=utc(each.until),
        decided_by=names.get(decided, decided),
        why=each.why,
    )

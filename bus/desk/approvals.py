"""Four eyes: a second person approves exactly what is shown, freshly signed in, before it is published. Inside a transaction.

Nobody approves what they have written at or asked for. An approval names the digest of the bytes that were shown; it is void when
the draft changes, ends after four hours, is used once, and only while its giver may still approve. Whether a second person is needed
is a policy of who calls (decision of the registry, or of the office); it is a line in the audit trail, no second signature.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Set as AbstractSet
from enum import StrEnum

import msgspec

from bus.desk import drafts, people, standing, trail
from bus.desk.refusals import MAX_APPROVALS, MAX_REASON, DeskError, check_room, check_text
from bus.desk.roles import Act, Action, check_may, not_there, tlp_rank
from bus.desk.sessions import FRESH_S, is_fresh
from bus.policy import MARKINGS
from bus.storage import from_row, single
from schemas.vocab import Tlp

HOLDS_S = 4 * 3600.0
BACK_S = 60.0
"""By so much the clock of this machine may be set back, and what was asked for just before still stands; else it would stand too long."""
MAX_OF_DRAFT = 200
"""Approvals asked for about one draft, closed ones included."""


class State(StrEnum):
    """The state of an approval; after its time it has ended in every state."""

    ASKED = "asked"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    SPENT = "spent"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The request and its answer.

    Attributes:
        n: its number.
        draft: the draft's number.
        version: the version that was shown.
        digest: of the bytes that were shown.
        by: who asked.
        at: when.
        until: when it ends; a time equal to it is over.
        state: what became of it.
        decided_by: who approved, declined or withdrew.
        decided_at: when.
        why: why it was declined.
    """

    n: int
    draft: int
    version: int
    digest: str
    by: str
    at: float
    until: float
    state: State
    decided_by: str | None = None
    decided_at: float | None = None
    why: str = ""


def ask(db: sqlite3.Connection, act: Act, draft: int, shown: str) -> Approval:
    """Ask for the approval of a draft as it is now.

    Args:
        db: inside a transaction.
        act: a publisher.
        draft: its number.
        shown: the digest of what the one who asks was shown.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `digest-differs`, `approval-there`, `desk-full`.
    """
    check_may(act, Action.ASK_APPROVAL)
    now = drafts.get(db, act, draft)
    row = db.execute("SELECT * FROM drafts WHERE n = ?", (draft,)).fetchone()
    if row["closed_at"] is not None:
        raise not_there("draft")
    _check_digest(shown, now.digest)
    there = db.execute(
        "SELECT 1 FROM approvals WHERE draft = ? AND version = ? AND state IN ('asked', 'approved') AND until > ? AND at <= ?",
        (draft, now.version, act.at, act.at + BACK_S),
    ).fetchone()
    if there is not None:
        raise DeskError("an approval of this has been asked for already", reason="approval-there")
    open_ = single(
        db, "SELECT count(*) FROM approvals WHERE by = ? AND state = 'asked' AND until > ?", act.who, act.at
    )
    check_room(open_, MAX_APPROVALS, "approvals that you wait for")
    check_room(
        single(db, "SELECT count(*) FROM approvals WHERE draft = ?", draft),
        MAX_OF_DRAFT,
        "approvals of this draft",
    )
    n = db.execute(
        "INSERT INTO approvals (draft, version, digest, tlp, audience, by, at, until, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'asked')",
        (draft, now.version, now.digest, row["tlp"], row["audience"], act.who, act.at, act.at + HOLDS_S),
    ).lastrowid
    trail.add(db, act, "approval-asked", str(draft), f"version {now.version}, {now.digest}")
    return _get(db, int(n or 0))


def check_approval(approval: Approval, act: Act, authors: AbstractSet[str], shown: str) -> None:
    """Refuse an approval that is not to be given. Pure.

    Args:
        approval: what was asked.
        act: who would approve, when.
        authors: everybody who has written at the draft.
        shown: the digest of what the approver was shown.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `own-work`, `not-fresh`, `approval-over`, `digest-differs`.
    """
    check_may(act, Action.APPROVE)
    _check_open(approval, State.ASKED, act.at)
    if act.who == approval.by or act.who in authors:
        raise DeskError(
            "you cannot approve a draft that you have written, or your own request", reason="own-work"
        )
    _check_digest(shown, approval.digest)
    if not is_fresh(act):
        raise DeskError(
            f"for an approval you must have shown who you are within the last {FRESH_S / 60:.0f} minutes; sign in once more",
            reason="not-fresh",
        )


def approve(db: sqlite3.Connection, act: Act, n: int, shown: str) -> Approval:
    """Approve what was shown.

    Raises:
        DeskError: as `check_approval`; `not-there`; `changed-lately`, as `standing.check`.
    """
    check_may(act, Action.APPROVE)
    approval = get(db, act, n)
    check_approval(approval, act, drafts.authors(db, approval.draft), shown)
    if not act.is_visitor:
        standing.check(db, act, approval.by)
    _set(db, act, n, State.APPROVED)
    trail.add(db, act, "approved", str(approval.draft), f"version {approval.version}, {approval.digest}")
    return _get(db, n)


def decline(db: sqlite3.Connection, act: Act, n: int, why: str) -> Approval:
    """Decline, and say why. The approver may withdraw an approval this way, as long as it was not used.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `approval-over`; texts as `check_text`.
    """
    check_may(act, Action.APPROVE)
    approval = get(db, act, n)
    _check_open(approval, State.APPROVED if approval.decided_by == act.who else State.ASKED, act.at)
    _set(db, act, n, State.DECLINED, check_text(why, MAX_REASON, "a reason", lines=True))
    trail.add(db, act, "approval-declined", str(approval.draft), f"version {approval.version}")
    return _get(db, n)


def withdraw(db: sqlite3.Connection, act: Act, n: int) -> Approval:
    """Ask no more.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, also for what another has asked; `approval-over`.
    """
    check_may(act, Action.ASK_APPROVAL)
    approval = get(db, act, n)
    if approval.by != act.who:
        raise not_there("approval of yours")
    if approval.state is not State.APPROVED:
        _check_open(approval, State.ASKED, act.at)
    _set(db, act, n, State.WITHDRAWN)
    trail.add(db, act, "approval-withdrawn", str(approval.draft), f"version {approval.version}")
    return _get(db, n)


def spend(db: sqlite3.Connection, act: Act, n: int, digest: str) -> Approval:
    """Use an approval, once, for publishing exactly what was approved; in the transaction before that is handed on.

    Args:
        db: inside a transaction.
        act: a publisher.
        n: the approval.
        digest: of the bytes that are about to be published.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `approval-over`, `digest-differs`; `approval-void`, who approved may not
            do so any more.
    """
    check_may(act, Action.PUBLISH)
    approval = get(db, act, n)
    _check_open(approval, State.APPROVED, act.at)
    _check_digest(digest, approval.digest)
    if not (act.is_visitor or people.may_now(db, approval.decided_by or "", Action.APPROVE)):
        raise DeskError(
            "the person who approved this may not approve any more; ask for another approval",
            reason="approval-void",
        )
    db.execute("UPDATE approvals SET state = 'spent' WHERE n = ?", (n,))
    trail.add(
        db, act, "approval-used", str(approval.draft), f"approved by {approval.decided_by}, {approval.digest}"
    )
    return _get(db, n)


def waiting(db: sqlite3.Connection, act: Act) -> list[Approval]:
    """Approvals that are asked for and not over, the first that ends first: those this person may see.

    Raises:
        DeskError: `desk-role`, `desk-wall`.
    """
    check_may(act, Action.READ_DRAFTS)
    rows = db.execute(
        "SELECT * FROM approvals WHERE state = 'asked' AND until > ? AND tlp <= ? ORDER BY until, n",
        (act.at, tlp_rank(act.clearance.ceiling)),
    )
    return [from_row(Approval, row) for row in rows if row["audience"] in act.clearance.audiences]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An approval that is asked for, by number and marking of the draft, without a word of it."""

    n: int
    draft: int
    at: float
    tlp: Tlp
    audience: str


def asked(db: sqlite3.Connection, at: float) -> list[Asked]:
    """Approvals that are asked for and not over at a moment, for a program that calls people; it shows no draft."""
    rows = db.execute("SELECT * FROM approvals WHERE state = 'asked' AND until > ? ORDER BY n", (at,))
    return [
        Asked(
            n=row["n"], draft=row["draft"], at=row["at"], tlp=MARKINGS[row["tlp"]], audience=row["audience"]
        )
        for row in rows
    ]


def of_draft(db: sqlite3.Connection, act: Act, draft: int) -> list[Approval]:
    """All approvals that were asked for about a draft, the oldest first.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
    """
    drafts.get(db, act, draft)
    rows = db.execute("SELECT * FROM approvals WHERE draft = ? ORDER BY n", (draft,))
    return [from_row(Approval, row) for row in rows]


def _check_open(approval: Approval, wanted: State, at: float) -> None:
    if approval.state is not wanted:
        raise DeskError(f"this is {approval.state}, and not {wanted}", reason="approval-over")
    if not approval.at - BACK_S <= at < approval.until:
        raise DeskError(
            "the time for this approval is over; it must be asked for again", reason="approval-over"
        )


def _check_digest(shown: str, digest: str) -> None:
    if not hmac.compare_digest(shown.encode("utf-8", "replace"), digest.encode()):
        raise DeskError(
            "the content has changed since it was shown; load the page and read it again",
            reason="digest-differs",
        )


def get(db: sqlite3.Connection, act: Act, n: int) -> Approval:
    """An approval by its number. Raises as `waiting`, and `not-there`."""
    check_may(act, Action.READ_DRAFTS)
    row = db.execute("SELECT * FROM approvals WHERE n = ?", (n,)).fetchone()
    if row is None or not act.clearance.sees(MARKINGS[row["tlp"]], row["audience"]):
        raise not_there("approval")
    return from_row(Approval, row)


def _get(db: sqlite3.Connection, n: int) -> Approval:
    return from_row(Approval, db.execute("SELECT * FROM approvals WHERE n = ?", (n,)).fetchone())


def _set(db: sqlite3.Connection, act: Act, n: int, state: State, why: str = "") -> None:
    db.execute(
        "UPDATE approvals SET state = ?, decided_by = ?, decided_at = ?, why = ? WHERE n = ?",
        (state.value, act.who, act.at, why, n),
    )

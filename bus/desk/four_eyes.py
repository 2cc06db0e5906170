"""Whether a second person is needed, and the way of a draft from the desk to the hub that signs it. Inside a transaction.

A second person is needed wherever there is one: as soon as anybody but the publisher may approve at this desk. So nobody publishes
alone by choosing a marking or an hour at which no approver looks; an office without approvers publishes alone, and the trail says so.

A draft is handed to the hub under a key that follows from its version. The key is written down with the approval that is used, in one
transaction, before the hub hears of it; the hub publishes once under a key. So what was handed on and not answered is handed on again.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3

import msgspec

from bus.desk import approvals, drafts, handed_on, people, standing, trail
from bus.desk.approvals import Approval, State
from bus.desk.handed_on import HandedOn
from bus.desk.refusals import DeskError
from bus.desk.roles import Act, Action, check_may, may, not_there
from bus.policy import MARKINGS

MOST_WAITING = 100
"""So many that wait for one person are told of."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A draft that waits for the one who asks: to approve it, or to publish it once another has.

    Attributes:
        approval: the number of the approval.
        draft: the number of the draft.
        title: of the draft.
        by: the name of who asked.
        at: when that was.
        until: when the approval ends.
        tlp: the rank of the marking of the draft.
        audience: its audience.
        is_granted: whether it is approved, and waits to be published.
    """

    approval: int
    draft: int
    title: str
    by: str
    at: float
    until: float
    tlp: int
    audience: str
    is_granted: bool


def is_needed(db: sqlite3.Connection, act: Act) -> bool:
    """Whether a second person must approve what this person publishes."""
    return act.is_visitor or any(each != act.who for each in standing.counted(db, act.at))


def may_approve(db: sqlite3.Connection, n: int, at: float) -> tuple[str, ...]:
    """The names of those who may approve a draft at a moment: active, standing, not its author, allowed to see it."""
    row = db.execute("SELECT tlp, audience FROM drafts WHERE n = ?", (n,)).fetchone()
    if row is None:
        return ()
    authors = drafts.authors(db, n)
    found = [people.get(db, each) for each in standing.approvers(db, at) if each not in authors]
    return tuple(each.name for each in found if each.clearance.sees(MARKINGS[row["tlp"]], row["audience"]))


def waiting(db: sqlite3.Connection, act: Act) -> tuple[Waiting, ...]:
    """What waits for this person: approvals to give, and approved drafts to publish; those that end first, at most so many."""
    found: list[Waiting] = []
    if may(act, Action.APPROVE):
        found += [
            _waiting(db, act, each)
            for each in approvals.waiting(db, act)[:MOST_WAITING]
            if each.by != act.who and act.who not in drafts.authors(db, each.draft)
        ]
    if may(act, Action.PUBLISH):
        rows = db.execute(
            "SELECT n FROM approvals WHERE state = 'approved' AND by = ? AND until > ? ORDER BY until, n LIMIT ?",
            (act.who, act.at, MOST_WAITING),
        ).fetchall()
        for row in rows:
            try:
                found.append(_waiting(db, act, approvals.get(db, act, row["n"])))
            except DeskError:
                continue  # its asker may not see it any more
    return tuple(sorted(found, key=lambda each: (each.until, each.approval)))


def hand_on(db: sqlite3.Connection, act: Act, n: int, shown: str) -> HandedOn:
    """Use the approval of a draft as it is now, and write down under which key it is handed to the hub.

    A version that was handed on before keeps its key. What the hub has refused may be handed on again for as long as its approval would
    hold; what it has not answered is asked about after that, and not published any more.

    Args:
        db: inside a transaction.
        act: a publisher.
        n: the draft.
        shown: the digest of the bytes that the publisher was shown.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `digest-differs`; `approval-needed`; as `approvals.spend`.
    """
    check_may(act, Action.PUBLISH)
    draft = drafts.get(db, act, n)
    if draft.closed_why == "given-up":
        raise not_there("draft")
    if not hmac.compare_digest(shown.encode("utf-8", "replace"), draft.digest.encode()):
        raise DeskError(
            "the content has changed since it was shown; load the page and read it again",
            reason="digest-differs",
        )
    before = handed_on.of_version(db, n, draft.version)
    if before is not None and not is_over(db, act, before):
        if before.bulletin:
            return before
        if before.is_unanswered and not _holds(db, act, before):
            return msgspec.structs.replace(before, is_over=True)
        return handed_on.again(db, before)
    if draft.closed_why:
        raise not_there("draft")
    granted = next(
        (
            each
            for each in reversed(approvals.of_draft(db, act, n))
            if each.version == draft.version and each.state is State.APPROVED and act.at < each.until
        ),
        None,
    )
    if granted is not None:
        approvals.spend(db, act, granted.n, draft.digest)
    elif is_needed(db, act):
        if set(standing.approvers(db, act.at)) <= {act.who}:
            raise DeskError(
                "nobody here can approve now, because approvers were changed less than a day ago, and nobody publishes alone until then; "
                "an operator of this hub can lift that (tocsin people role)",
                reason="approval-needed",
            )
        raise DeskError("a second person must approve this first; ask for it", reason="approval-needed")
    else:
        trail.add(db, act, "published-alone", str(n), f"version {draft.version}, {draft.digest}")
    handed = HandedOn(
        draft=n,
        version=draft.version,
        key=_key(draft),
        approved_by=(granted.decided_by or "") if granted is not None else "",
        by=act.who,
        at=act.at,
    )
    handed_on.add(db, handed, granted.n if granted is not None else None)
    return handed


def is_over(db: sqlite3.Connection, act: Act, handed: HandedOn) -> bool:
    """Whether the hub has refused it, and it needs another approval to be handed on once more."""
    return handed.is_refused and not handed.bulletin and not _holds(db, act, handed)


def _holds(db: sqlite3.Connection, act: Act, handed: HandedOn) -> bool:
    """Whether what it was handed on by still stands: an approval in its time, by somebody who may still give it, or that none is needed."""
    number = handed_on.approval_of(db, handed)
    if number is None:
        return not is_needed(db, act)
    until = db.execute("SELECT until FROM approvals WHERE n = ?", (number,)).fetchone()["until"]
    return act.at < until and (act.is_visitor or people.may_now(db, handed.approved_by, Action.APPROVE))


def published(db: sqlite3.Connection, act: Act, handed: HandedOn, bulletin: str) -> None:
    """Write down what a version has become, and close its draft. A second time changes nothing.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
    """
    if handed_on.became(db, handed, bulletin):
        trail.add(db, act, "draft-published", bulletin, f"draft {handed.draft}, version {handed.version}")
    if not drafts.get(db, act, handed.draft).closed_why:
        drafts.close(db, act, handed.draft, "published")


def _key(draft: drafts.Draft) -> str:
    """32 hexadecimal digits that no other version has, also not one of a desk that was begun anew."""
    said = f"{draft.n} {draft.version} {draft.at!r} {draft.digest}"
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _waiting(db: sqlite3.Connection, act: Act, each: Approval) -> Waiting:
    draft = drafts.get(db, act, each.draft)
    return Waiting(
        approval=each.n,
        draft=each.draft,
        title=draft.title,
        by=people.names(db).get(each.by, each.by),
        at=each.at,
        until=each.until,
        tlp=draft.tlp,
        audience=draft.audience,
        is_granted=each.state is State.APPROVED,
    )

"""Drafts that people write in the console, each with its versions. Inside a transaction.

A draft belongs to the person who began it; others with the role of a publisher, who may see its marking, may go on with it, and then
count as its authors too: none of them approves it. Each save names the version that it changes, so that two who write at the
same time do not undo each other's work. The oldest versions are deleted; one that an approval names stays.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk import trail
from bus.desk.refusals import (
    MAX_BYTES_OF_PERSON,
    MAX_DRAFT_BYTES,
    MAX_DRAFTS,
    MAX_TITLE,
    MAX_VERSIONS,
    DeskError,
    check_room,
    check_text,
)
from bus.desk.roles import Act, Action, check_may, not_there, tlp_rank
from bus.policy import MARKINGS
from bus.storage import single
from schemas.codec import digest
from schemas.vocab import Tlp


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a draft.

    Attributes:
        n: the draft's number.
        person: who began it.
        title: what its writers call it.
        version: from 1.
        text: the very bytes.
        digest: SHA-256 of them in base64url; an approval names it.
        by: who wrote this version.
        at: when.
        tlp: the rank of the marking of the draft as it is now.
        audience: its audience as it is now.
        closed_why: `published` or `given-up`; empty while it is open.
    """

    n: int
    person: str
    title: str
    version: int
    text: bytes
    digest: str
    by: str
    at: float
    tlp: int
    audience: str
    closed_why: str = ""


def begin(db: sqlite3.Connection, act: Act, title: str, text: bytes, tlp: Tlp, audience: str) -> Draft:
    """Begin a draft.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `above-ceiling`, `desk-full`, `draft-too-large`; texts as `check_text`.
    """
    check_may(act, Action.DRAFT)
    _check(db, act, text, tlp, audience)
    open_ = single(db, "SELECT count(*) FROM drafts WHERE person = ? AND closed_at IS NULL", act.who)
    check_room(open_, MAX_DRAFTS, "open drafts of yours")
    named = check_text(title, MAX_TITLE, "a title")
    n = db.execute(
        "INSERT INTO drafts (person, title, version, tlp, audience, at) VALUES (?, ?, 1, ?, ?, ?)",
        (act.who, named, tlp_rank(tlp), audience, act.at),
    ).lastrowid
    _add_version(db, act, int(n or 0), 1, text)
    trail.add(db, act, "draft-begun", str(n))
    return get(db, act, int(n or 0))


def save(
    db: sqlite3.Connection,
    act: Act,
    n: int,
    text: bytes,
    tlp: Tlp,
    audience: str,
    *,
    base: int,
    title: str = "",
) -> Draft:
    """Save a new version; approvals of the one before are void, asked or granted.

    Args:
        db: inside a transaction.
        act: a publisher.
        n: the draft.
        text: the whole draft.
        tlp: its marking now.
        audience: its audience now.
        base: the version that was changed.
        title: what its writers call it now; empty leaves that as it is.

    Raises:
        DeskError: as `begin`; `not-there`; `draft-changed`, another person has saved a version after `base`.
    """
    check_may(act, Action.DRAFT)
    row = _row(db, act, n)
    _check(db, act, text, tlp, audience)
    if row["version"] != base:
        raise DeskError(
            "another person has saved a version since then; look at it, then save again",
            reason="draft-changed",
        )
    if title:
        db.execute("UPDATE drafts SET title = ? WHERE n = ?", (check_text(title, MAX_TITLE, "a title"), n))
    latest = get(db, act, n)
    if latest.text == text and (row["tlp"], row["audience"]) == (tlp_rank(tlp), audience):
        return latest
    version = base + 1
    db.execute(
        "UPDATE drafts SET version = ?, tlp = ?, audience = ?, at = ? WHERE n = ?",
        (version, tlp_rank(tlp), audience, act.at, n),
    )
    _add_version(db, act, n, version, text)
    _void_approvals(db, act, n)
    db.execute(
        "DELETE FROM draft_versions WHERE draft = ?1 AND version <= ?2 "
        "AND version NOT IN (SELECT version FROM approvals WHERE draft = ?1)",
        (n, version - MAX_VERSIONS),
    )
    return get(db, act, n)


def get(db: sqlite3.Connection, act: Act, n: int, version: int = 0) -> Draft:
    """A version of a draft; the last one without a number. Publishers and approvers read drafts, closed ones too.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
    """
    row = _row(db, act, n, closed=True)
    found = db.execute(
        "SELECT * FROM draft_versions WHERE draft = ? AND version = ?", (n, version or row["version"])
    ).fetchone()
    if found is None:
        raise not_there("version")
    return Draft(
        n=n,
        person=row["person"],
        title=row["title"],
        version=found["version"],
        text=bytes(found["text"]),
        digest=found["digest"],
        by=found["by"],
        at=found["at"],
        tlp=row["tlp"],
        audience=row["audience"],
        closed_why=row["closed_why"] or "",
    )


def listed(db: sqlite3.Connection, act: Act) -> list[Draft]:
    """The open drafts that this person may see, each as it is now; the last changed first.

    Raises:
        DeskError: `desk-role`, `desk-wall`.
    """
    check_may(act, Action.READ_DRAFTS)
    rows = db.execute(
        "SELECT n, audience FROM drafts WHERE closed_at IS NULL AND tlp <= ? ORDER BY at DESC, n DESC",
        (tlp_rank(act.clearance.ceiling),),
    ).fetchall()
    return [get(db, act, row["n"]) for row in rows if row["audience"] in act.clearance.audiences]


def close(db: sqlite3.Connection, act: Act, n: int, why: str) -> None:
    """Close a draft: it was published, or is given up.

    Its open requests end. Versions are deleted, except the last one and those that an approval names.

    Args:
        db: inside a transaction.
        act: a publisher.
        n: the draft.
        why: `published` or `given-up`.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
        ValueError: another word.
    """
    check_may(act, Action.DRAFT)
    if why not in ("published", "given-up"):
        raise ValueError(why)
    _row(db, act, n)
    db.execute("UPDATE drafts SET closed_at = ?, closed_why = ? WHERE n = ?", (act.at, why, n))
    _void_approvals(db, act, n)
    db.execute(
        "DELETE FROM draft_versions WHERE draft = ?1 AND version <> (SELECT version FROM drafts WHERE n = ?1) "
        "AND version NOT IN (SELECT version FROM approvals WHERE draft = ?1)",
        (n,),
    )
    trail.add(db, act, "draft-closed", str(n), why)


def authors(db: sqlite3.Connection, n: int) -> frozenset[str]:
    """All authors of a draft, also of its deleted versions."""
    rows = db.execute("SELECT person FROM draft_hands WHERE draft = ?", (n,))
    return frozenset(row["person"] for row in rows)


def forget(db: sqlite3.Connection, before: float) -> None:
    """Take out drafts that were closed before a moment, with their versions and approvals; the trail keeps who did what."""
    old = "(SELECT n FROM drafts WHERE closed_at < ?)"
    for table in ("approvals", "draft_versions", "draft_hands"):
        db.execute(f"DELETE FROM {table} WHERE draft IN {old}", (before,))
    db.execute("DELETE FROM drafts WHERE closed_at < ?", (before,))


def _row(db: sqlite3.Connection, act: Act, n: int, *, closed: bool = False) -> sqlite3.Row:
    check_may(act, Action.READ_DRAFTS)
    row: sqlite3.Row | None = db.execute("SELECT * FROM drafts WHERE n = ?", (n,)).fetchone()
    if (
        row is None
        or not act.clearance.sees(MARKINGS[row["tlp"]], row["audience"])
        or not (closed or row["closed_at"] is None)
    ):
        raise not_there("draft")
    return row


def _check(db: sqlite3.Connection, act: Act, text: bytes, tlp: Tlp, audience: str) -> None:
    if len(text) > MAX_DRAFT_BYTES:
        raise DeskError(f"a draft has at most {MAX_DRAFT_BYTES} bytes", reason="draft-too-large")
    if not act.clearance.sees(tlp, audience):
        raise DeskError("this marking or audience is beyond what you may see", reason="above-ceiling")
    held = single(db, "SELECT coalesce(sum(length(text)), 0) FROM draft_versions WHERE by = ?", act.who)
    check_room(held + len(text) - 1, MAX_BYTES_OF_PERSON, "bytes of drafts of yours")


def _void_approvals(db: sqlite3.Connection, act: Act, n: int) -> None:
    """The request or approval was for another text, or for a deleted one."""
    db.execute(
        "UPDATE approvals SET state = 'withdrawn', decided_by = ?, decided_at = ? "
        "WHERE draft = ? AND state IN ('asked', 'approved')",
        (act.who, act.at, n),
    )


def _add_version(db: sqlite3.Connection, act: Act, n: int, version: int, text: bytes) -> None:
    db.execute(
        "INSERT INTO draft_versions VALUES (?, ?, ?, ?, ?, ?)",
        (n, version, text, digest(text), act.who, act.at),
    )
    db.execute("INSERT OR IGNORE INTO draft_hands VALUES (?, ?)", (n, act.who))

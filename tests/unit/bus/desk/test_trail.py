"""The audit trail: each row chained, none changed or missing; what goes on record, and for how long."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.audit import AuditError
from bus.desk import About, DeskError, Role, at_command_line, shown, trail
from bus.desk.refusals import DAY_S, MAX_TRAIL_A_DAY, cut, is_plain
from schemas.vocab import Tlp
from tests.support.desks import AMBER, GREEN, NOW, bare, person

OPERATOR = at_command_line(NOW)
SEES_ALL: dict[str, Any] = {"ceiling": Tlp.RED, "audiences": ("community", "eu-csirts")}


def filled(rows: int = 6) -> sqlite3.Connection:
    """A trail of so many rows, one a day."""
    db = bare()
    for n in range(rows):
        trail.add(db, at_command_line(NOW + n * DAY_S), "person-changed", f"p{n}")
    return db


def loose(db: sqlite3.Connection) -> sqlite3.Connection:
    """The file in the hands of somebody who takes the triggers off."""
    for name in ("trail_stays", "trail_is_kept"):
        db.execute(f"DROP TRIGGER {name}")
    return db


def forged(db: sqlite3.Connection) -> None:
    """A changed row with a chain that fits itself."""
    first = msgspec.structs.replace(trail.read(db, OPERATOR, limit=10)[2], who="somebody-else")
    before = db.execute("SELECT chain FROM trail WHERE n = ?", (first.n - 1,)).fetchone()[0]
    chain = trail._chain(first, before)
    db.execute("UPDATE trail SET who = ?, chain = ? WHERE n = ?", (first.who, chain, first.n))


def begun_later(db: sqlite3.Connection) -> None:
    """The front taken off by hand, and the beginning moved."""
    (chain,) = db.execute("SELECT chain FROM trail WHERE n = 3").fetchone()
    db.execute("DELETE FROM trail WHERE n <= 3")
    db.execute("REPLACE INTO trail_begins VALUES (1, 3, ?)", (chain,))


HURT: dict[str, tuple[Callable[[sqlite3.Connection], object], str]] = {
    "a row is gone": (lambda db: db.execute("DELETE FROM trail WHERE n = 3"), "audit-seq"),
    "the first row is gone": (lambda db: db.execute("DELETE FROM trail WHERE n = 1"), "audit-seq"),
    "the front is taken off by hand": (begun_later, "audit-seq"),
    "a row says another name": (
        lambda db: db.execute("UPDATE trail SET who = 'x' WHERE n = 3"),
        "audit-prev",
    ),
    "a row says another time": (
        lambda db: db.execute("UPDATE trail SET at = at + 1 WHERE n = 3"),
        "audit-prev",
    ),
    "a row has another number": (lambda db: db.execute("UPDATE trail SET n = 9 WHERE n = 6"), "audit-seq"),
    "two rows have changed places": (
        lambda db: [
            db.execute("UPDATE trail SET n = ? WHERE n = ?", pair) for pair in ((99, 3), (3, 4), (4, 99))
        ],
        "audit-prev",
    ),
    "a row is another, and its chain fits it": (forged, "audit-prev"),
    "a row was put in between": (
        lambda db: db.execute("INSERT INTO trail VALUES (7, 0, 'x', 'y', '', '', '', 'z')"),
        "audit-prev",
    ),
}


@pytest.mark.parametrize(("hurts", "reason"), HURT.values(), ids=HURT)
def test_whatever_was_done_to_a_row_shows(hurts: Callable[[sqlite3.Connection], object], reason: str) -> None:
    """By whoever can write the file."""
    db = loose(filled())
    hurts(db)
    with pytest.raises(AuditError) as broken:
        trail.verify_audit(db)
    assert broken.value.reason == reason


def test_a_trail_that_stands() -> None:
    """From its first row to its last."""
    db = filled()
    assert trail.verify_audit(db) == trail.Standing(1, 6, trail.head(db))
    assert trail.verify_audit(bare()) == trail.Standing(0, 0, "")


@pytest.mark.parametrize("most", range(1, 9))
def test_the_newest_rows_are_checked_alone(most: int) -> None:
    """A fault among them shows, one before them does not; more than there are is all."""
    db = loose(filled())
    first = max(1, 7 - most)
    assert trail.verify_audit(db, most=most) == trail.Standing(first, 6, trail.head(db))
    db.execute("UPDATE trail SET who = 'x' WHERE n = 3")
    if first > 3:
        assert trail.verify_audit(db, most=most).first == first
        return
    with pytest.raises(AuditError) as broken:
        trail.verify_audit(db, most=most)
    assert broken.value.reason == "audit-prev"


def test_a_head_that_was_written_down_shows_that_the_end_is_gone() -> None:
    """Without one it does not show."""
    db = loose(filled())
    head = trail.head(db)
    trail.verify_audit(db, head=head)
    db.execute("DELETE FROM trail WHERE n > 4")
    trail.verify_audit(db)
    with pytest.raises(AuditError) as broken:
        trail.verify_audit(db, head=head)
    assert broken.value.reason == "audit-head"


@pytest.mark.parametrize(
    "change", ["UPDATE trail SET who = 'x'", "DELETE FROM trail", "UPDATE journal SET text = 'x'"]
)
def test_a_bug_of_ours_changes_no_row(change: str) -> None:
    """Triggers refuse it."""
    db = filled()
    db.execute(
        "INSERT INTO journal (kind, about, tlp, audience, text, by, at) VALUES ('', '', 0, '', '', '', 0)"
    )
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(change)


def test_what_is_old_goes_off_the_front_and_a_row_says_so() -> None:
    """The trail stands before and after, and after a second time; heads of before the cut are known no more but the last."""
    db = filled()
    heads = [row["chain"] for row in db.execute("SELECT chain FROM trail ORDER BY n")]
    assert trail.forget(db, NOW + 6 * DAY_S, 3.5 * DAY_S) == 3
    assert trail.verify_audit(db).first == 4
    assert trail.read(db, OPERATOR)[0].what == trail.FORGOTTEN
    trail.verify_audit(db, head=heads[2])
    with pytest.raises(AuditError):
        trail.verify_audit(db, head=heads[1])
    assert trail.forget(db, NOW + 6 * DAY_S, 3.5 * DAY_S) == 0
    assert trail.forget(db, NOW + 20 * DAY_S, DAY_S) == 4
    assert trail.verify_audit(db).last == 8


def test_a_clock_that_was_set_back_opens_no_gap() -> None:
    """Rows go in their order; one that is young keeps those after it."""
    db = bare()
    for days in (0, 10, 1, 2, 11):
        trail.add(db, at_command_line(NOW + days * DAY_S), "person-changed")
    assert trail.forget(db, NOW + 12 * DAY_S, 5 * DAY_S) == 1
    trail.verify_audit(db)


def test_looks_at_what_is_above_green_go_on_record() -> None:
    """Those at GREEN and CLEAR do not; one at the same bulletin within ten minutes is the same."""
    db = bare()
    act = person(db, "ann", Role.READER, **SEES_ALL)
    wide = [GREEN, About("bulletin", "0199-clear", Tlp.CLEAR, "community")]
    narrow = [
        About("bulletin", f"0199-{tlp.value}", tlp, "eu-csirts")
        for tlp in (Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)
    ]
    for later in (0.0, 599.0, 600.0):
        for about in (*wide, *narrow):
            trail.add_look(db, msgspec.structs.replace(act, at=NOW + later), "viewed", about)
    looks = [(entry.about, entry.at - NOW) for entry in trail.read(db, OPERATOR) if entry.what == "viewed"]
    assert sorted(looks) == sorted((about.id, later) for about in narrow for later in (0.0, 600.0))


@pytest.mark.parametrize("how", ["downloaded", "exported", "searched"])
def test_what_is_taken_away_always_goes_on_record(how: str) -> None:
    """Whatever its marking, each time."""
    db = bare()
    act = person(db, "ann", Role.READER)
    for _ in range(2):
        trail.add_look(db, act, how, None if how == "searched" else GREEN, "what was asked")
    told = [
        (entry.who, entry.detail, entry.address) for entry in trail.read(db, OPERATOR) if entry.what == how
    ]
    assert told == [("ann", "what was asked", "192.0.2.7")] * 2


def test_who_may_not_see_it_is_not_recorded_as_if_it_had_been_seen() -> None:
    """It is refused."""
    db = bare()
    with pytest.raises(DeskError) as refused:
        trail.add_look(db, person(db, "ann"), "viewed", AMBER)
    assert refused.value.reason == "not-there"


def test_one_person_fills_no_disk() -> None:
    """Others go on."""
    db = bare()
    ann, bob = person(db, "ann"), person(db, "bob")
    db.execute("REPLACE INTO allowances VALUES ('trail', 'ann', ?)", (NOW + DAY_S,))
    with pytest.raises(DeskError) as refused:
        trail.add_look(db, ann, "searched", None, "x")
    assert refused.value.reason == "desk-too-much"
    assert str(MAX_TRAIL_A_DAY) in str(refused.value)
    trail.add_look(db, bob, "searched", None, "x")


def test_rows_are_read_page_by_page() -> None:
    """The newest first; of one person, or since a moment."""
    db = filled()
    person(db, "ann")
    assert [entry.n for entry in trail.read(db, OPERATOR, limit=2)] == [7, 6]
    assert [entry.n for entry in trail.read(db, OPERATOR, before=6, limit=2)] == [5, 4]
    assert [entry.n for entry in trail.read(db, OPERATOR, since=NOW + 4 * DAY_S)] == [6, 5]
    assert trail.read(db, OPERATOR, who="nobody") == []


@given(st.text(max_size=400))
def test_whatever_was_typed_is_one_line_that_steers_nothing(text: str) -> None:
    """In the record and at showing, within its bound; what is plain already stays."""
    told = cut(text)
    assert len(told) <= 300
    assert all(map(is_plain, told))
    assert shown(told) == told


def test_what_was_typed_stands_in_the_record_escaped() -> None:
    """And the chain is over what stands there."""
    db = bare()
    trail.add(db, OPERATOR, "searched", "a\nb", "\ud800" + "x" * 400)
    entry = trail.read(db, OPERATOR)[0]
    assert (entry.about, entry.detail[:8], len(entry.detail)) == ("a\\u000ab", "\\ud800xx", 300)
    trail.verify_audit(db)


ODD = {
    "a line break": ("a\nb", "a\\u000ab"),
    "a terminal": ("\x1b[2J", "\\u001b[2J"),
    "from the other side": ("a\u202eb", "a\\u202eb"),
    "a tag": ("a\U000e0041", "a\\U000e0041"),
    "half a character": ("\ud800", "\\ud800"),
    "an empty letter": ("a\u3164", "a\\u3164"),
    "a joiner": ("ن\u200cه", "ن\u200cه"),
    "another script": ("Ελλάδα", "Ελλάδα"),
}


@pytest.mark.parametrize(("text", "told"), ODD.values(), ids=ODD)
def test_what_cannot_be_seen_is_shown_as_an_escape(text: str, told: str) -> None:
    """Letters of all scripts stay."""
    assert shown(text) == told

"""Notes, journals, decisions, cursors, views, forms: what is kept, for whom, and up to which bound."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.desk import About, Act, DeskError, Role, at_command_line, decisions, forms, own, trail, words
from bus.desk import refusals as bounds
from bus.desk.decisions import Verdict
from schemas.vocab import Tlp
from tests.support.desks import AMBER, GREEN, INCIDENT, NOW, bare, person

SEES_ALL: dict[str, Any] = {"ceiling": Tlp.RED, "audiences": ("community", "eu-csirts")}

TEXTS = {
    "nothing": ("", "text-empty"),
    "blanks": (" \n\t ", "text-empty"),
    "too long": ("x" * (bounds.MAX_NOTE + 1), "text-too-long"),
    "a terminal": ("a\x1b[2J", "text-unseen"),
    "a NUL": ("a\0b", "text-unseen"),
    "from the other side": ("a\u202eb", "text-unseen"),
    "half a character": ("a\ud800", "text-unseen"),
    "a tag": ("a\U000e0041", "text-unseen"),
    "a zero-width blank": ("a\u200bb", "text-unseen"),
}


@pytest.mark.parametrize(("text", "reason"), TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("add", [words.add_note, words.add_entry])
def test_what_is_no_text_is_refused(
    add: Callable[[sqlite3.Connection, Act, About, str], int], text: str, reason: str
) -> None:
    """And nothing is kept."""
    db = bare()
    act = person(db, "ann", Role.ANALYST)
    with pytest.raises(DeskError) as refused:
        add(db, act, INCIDENT, text)
    assert refused.value.reason == reason
    assert words.notes(db, act, "incident", INCIDENT.id) == words.journal(db, act, INCIDENT.id) == []


def test_notes_and_journal_keep_their_lines_and_their_writers() -> None:
    """In the order they were written."""
    db = bare()
    ann, bob = person(db, "ann", Role.ANALYST), person(db, "bob", Role.DUTY)
    words.add_entry(db, ann, INCIDENT, "first\r\nline two\n")
    words.add_entry(db, bob, INCIDENT, "second")
    assert [(each.by, each.text) for each in words.journal(db, ann, INCIDENT.id)] == [
        ("ann", "first\nline two"),
        ("bob", "second"),
    ]


def test_a_note_is_read_by_those_alone_who_may_see_what_it_is_about() -> None:
    """By marking and by audience; and nobody else writes one."""
    db = bare()
    ann = person(db, "ann", Role.ANALYST, **SEES_ALL)
    words.add_note(db, ann, AMBER, "seen at two sites")
    assert len(words.notes(db, ann, "bulletin", AMBER.id)) == 1
    for id_, ceiling, audiences in (("bob", Tlp.GREEN, ["eu-csirts"]), ("carl", Tlp.RED, ["community"])):
        act = person(db, id_, Role.ANALYST, ceiling=ceiling, audiences=audiences)
        assert words.notes(db, act, "bulletin", AMBER.id) == []
        with pytest.raises(DeskError) as refused:
            words.add_note(db, act, AMBER, "x")
        assert refused.value.reason == "not-there"


def test_who_wrote_a_note_withdraws_it_and_nobody_else() -> None:
    """Its text is gone from the file; that there was one stays."""
    db = bare()
    ann, bob = person(db, "ann", Role.ANALYST), person(db, "bob", Role.ANALYST)
    n = words.add_note(db, ann, GREEN, "a telephone number")
    with pytest.raises(DeskError) as refused:
        words.withdraw_note(db, bob, n)
    assert refused.value.reason == "not-there"
    words.withdraw_note(db, ann, n)
    assert words.notes(db, ann, "bulletin", GREEN.id) == []
    assert db.execute("SELECT text, withdrawn_at FROM notes").fetchone()[:] == ("", NOW)


def test_the_last_decision_that_was_not_undone_holds() -> None:
    """And undoing one brings the one before back."""
    db = bare()
    act = person(db, "ann", Role.ANALYST)
    first = decisions.decide(db, act, "i-1", GREEN, Verdict.BELONGS, "the same host")
    second = decisions.decide(db, act, "i-1", GREEN, Verdict.SPLIT)
    assert decisions.holding(db, "i-1") == {GREEN.id: Verdict.SPLIT}
    with pytest.raises(DeskError) as refused:
        decisions.undo(db, act, first)
    assert refused.value.reason == "not-last"
    decisions.undo(db, act, second, "a mistake")
    assert decisions.holding(db, "i-1") == {GREEN.id: Verdict.BELONGS}
    decisions.undo(db, act, first)
    assert decisions.holding(db, "i-1") == {}
    kept = [(each.verdict, each.undone_by, each.undone_why) for each in decisions.history(db, act, "i-1")]
    assert kept == [(Verdict.BELONGS, "ann", ""), (Verdict.SPLIT, "ann", "a mistake")]


def test_the_same_is_not_decided_twice() -> None:
    """Of another incident it is another decision."""
    db = bare()
    act = person(db, "ann", Role.ANALYST)
    decisions.decide(db, act, "i-1", GREEN, Verdict.DOES_NOT)
    with pytest.raises(DeskError) as refused:
        decisions.decide(db, act, "i-1", GREEN, Verdict.DOES_NOT)
    assert refused.value.reason == "decided-already"
    decisions.decide(db, act, "i-2", GREEN, Verdict.DOES_NOT)
    assert [(each.incident, each.verdict) for each in decisions.all_holding(db)] == [
        ("i-1", Verdict.DOES_NOT),
        ("i-2", Verdict.DOES_NOT),
    ]


def test_a_decision_about_what_one_may_not_see_is_neither_seen_nor_undone() -> None:
    """As if it were not there."""
    db = bare()
    n = decisions.decide(db, person(db, "ann", Role.ANALYST, **SEES_ALL), "i-1", AMBER, Verdict.BELONGS)
    bob = person(db, "bob", Role.ANALYST)
    assert decisions.history(db, bob, "i-1") == []
    for refused_by in (
        lambda: decisions.undo(db, bob, n),
        lambda: decisions.decide(db, bob, "i-1", AMBER, Verdict.SPLIT),
    ):
        with pytest.raises(DeskError) as refused:
            refused_by()
        assert refused.value.reason == "not-there"


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["belongs", "does-not", "split", "undo"]), st.sampled_from("ab")),
        max_size=20,
    )
)
def test_what_holds_is_what_a_list_would_say(steps: list[tuple[str, str]]) -> None:
    """Decisions and undoing in any order, beside a stack for each bulletin; and the history keeps all."""
    db = bare()
    act = person(db, "ann", Role.ANALYST)
    stacks: dict[str, list[tuple[int, str]]] = {"a": [], "b": []}
    made = 0
    for word, bulletin in steps:
        stack = stacks[bulletin]
        if word == "undo":
            if stack:
                decisions.undo(db, act, stack.pop()[0])
        elif not stack or stack[-1][1] != word:
            about = About("bulletin", bulletin, Tlp.GREEN, "community")
            stack.append((decisions.decide(db, act, "i-1", about, Verdict(word)), word))
            made += 1
    assert decisions.holding(db, "i-1") == {name: stack[-1][1] for name, stack in stacks.items() if stack}
    assert {each.bulletin: each.verdict for each in decisions.all_holding(db)} == decisions.holding(db, "i-1")
    assert len(decisions.history(db, act, "i-1")) == made


def test_the_cursor_never_goes_back() -> None:
    """Each person has their own; a rebuild that numbers events anew sets it to the last."""
    db = bare()
    ann, bob = person(db, "ann"), person(db, "bob")
    for n, now_at in ((5, 5), (3, 5), (9, 9)):
        own.mark_seen(db, ann, n)
        assert own.cursor(db, ann) == own.Cursor(now_at, ann.at)
    assert own.cursor(db, bob) is None
    own.begin_anew(db, 4)
    assert own.cursor(db, ann) == own.Cursor(4, ann.at)


def test_views_are_kept_by_name() -> None:
    """The same name is changed; each person has their own."""
    db = bare()
    ann, bob = person(db, "ann"), person(db, "bob")
    own.save_view(db, ann, "ours", "country=xa")
    own.save_view(db, ann, "ours", "country=xb")
    assert own.views(db, ann) == [own.View("ours", "country=xb")]
    with pytest.raises(DeskError) as refused:
        own.drop_view(db, bob, "ours")
    assert refused.value.reason == "not-there"
    own.drop_view(db, ann, "ours")
    assert own.views(db, ann) == []


def rows(db: sqlite3.Connection, table: str, count: int, columns: str, values: str) -> None:
    """So many rows, quickly."""
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", [(n,) for n in range(count)])


FULL: dict[str, tuple[Callable[[sqlite3.Connection], None], Callable[[sqlite3.Connection, Act], object]]] = {
    "views": (
        lambda db: rows(db, "views", bounds.MAX_VIEWS, "name, person, query, at", "'v' || ?, 'ann', '', 0"),
        lambda db, act: own.save_view(db, act, "one more", ""),
    ),
    "notes of a person": (
        lambda db: rows(
            db,
            "notes",
            bounds.MAX_NOTES_OF_PERSON,
            "about, kind, tlp, audience, text, by, at",
            "'x' || ?, 'bulletin', 0, '', '', 'ann', 0",
        ),
        lambda db, act: words.add_note(db, act, GREEN, "x"),
    ),
    "notes of a thing": (
        lambda db: rows(
            db,
            "notes",
            bounds.MAX_NOTES_OF_TARGET,
            "at, about, kind, tlp, audience, text, by",
            f"?, '{GREEN.id}', 'bulletin', 0, '', '', 'bob'",
        ),
        lambda db, act: words.add_note(db, act, GREEN, "x"),
    ),
    "a journal": (
        lambda db: rows(
            db,
            "journal",
            bounds.MAX_JOURNAL,
            "at, about, kind, tlp, audience, text, by",
            f"?, '{INCIDENT.id}', 'incident', 0, '', '', 'bob'",
        ),
        lambda db, act: words.add_entry(db, act, INCIDENT, "x"),
    ),
    "entries of a person": (
        lambda db: rows(
            db,
            "journal",
            bounds.MAX_JOURNAL_OF_PERSON,
            "at, about, kind, tlp, audience, text, by",
            "?, 'i-9', 'incident', 0, '', '', 'ann'",
        ),
        lambda db, act: words.add_entry(db, act, INCIDENT, "x"),
    ),
    "decisions about an incident": (
        lambda db: rows(
            db,
            "decisions",
            bounds.MAX_DECISIONS,
            "at, incident, bulletin, tlp, audience, verdict, why, by",
            "?, 'i-1', 'x', 0, '', 'split', '', 'bob'",
        ),
        lambda db, act: decisions.decide(db, act, "i-1", GREEN, Verdict.BELONGS),
    ),
    "decisions of a person": (
        lambda db: rows(
            db,
            "decisions",
            bounds.MAX_DECISIONS_OF_PERSON,
            "at, incident, bulletin, tlp, audience, verdict, why, by",
            "?, 'i-9', 'x', 0, '', 'split', '', 'ann'",
        ),
        lambda db, act: decisions.decide(db, act, "i-1", GREEN, Verdict.BELONGS),
    ),
}


@pytest.mark.parametrize(("fill", "one_more"), FULL.values(), ids=FULL)
def test_what_is_kept_for_a_person_or_a_thing_has_a_bound(
    fill: Callable[[sqlite3.Connection], None], one_more: Callable[[sqlite3.Connection, Act], object]
) -> None:
    """The sentence names it, and nothing goes on record as done."""
    db = bare()
    act = person(db, "ann", Role.ANALYST)
    fill(db)
    with pytest.raises(DeskError) as refused:
        one_more(db, act)
    assert refused.value.reason == "desk-full"
    assert [entry.what for entry in trail.read(db, at_command_line(NOW))] == ["person-added"]


def test_a_form_is_for_one_session_and_one_purpose() -> None:
    """Whoever has another session's, or none, is refused."""
    forms.check_form("session", forms.form_token("session", "approve 12"), "approve 12")
    token = forms.form_token("session", "approve 12")
    wrong = {
        "another session": ("other", token, "approve 12"),
        "another purpose": ("session", token, "approve 13"),
        "no purpose": ("session", token, ""),
        "no token": ("session", "", "approve 12"),
        "half a token": ("session", token[:32], "approve 12"),
        "not ASCII": ("session", "é" * 64, "approve 12"),
        "no session": ("", forms.form_token("", "approve 12"), "approve 12"),
    }
    for name, (secret, given_token, purpose) in wrong.items():
        with pytest.raises(DeskError) as refused:
            forms.check_form(secret, given_token, purpose)
        assert refused.value.reason == "form-token", name


def test_a_wall_and_an_administrator_write_nothing() -> None:
    """Each by its own reason."""
    db = bare()
    wall = msgspec.structs.replace(person(db, "ann", Role.DUTY), is_wall=True)
    for act, reason in ((wall, "desk-wall"), (person(db, "bob", Role.ADMINISTRATOR), "desk-role")):
        for write in (
            lambda act=act: words.add_note(db, act, GREEN, "x"),
            lambda act=act: words.add_entry(db, act, INCIDENT, "x"),
            lambda act=act: decisions.decide(db, act, "i-1", GREEN, Verdict.SPLIT),
            lambda act=act: own.save_view(db, act, "x", ""),
            lambda act=act: own.mark_seen(db, act, 1),
        ):
            with pytest.raises(DeskError) as refused:
                write()
            assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("bound", "add"),
    [
        ("MAX_NOTES_OF_TARGET", lambda db, act, n: words.add_note(db, act, INCIDENT, str(n))),
        ("MAX_JOURNAL", lambda db, act, n: words.add_entry(db, act, INCIDENT, str(n))),
        (
            "MAX_DECISIONS",
            lambda db, act, n: decisions.decide(
                db, act, "i-1", About("bulletin", f"b-{n}", Tlp.GREEN, "community"), Verdict.BELONGS
            ),
        ),
    ],
    ids=["notes", "journal", "decisions"],
)
def test_one_person_leaves_room_for_colleagues(
    monkeypatch: pytest.MonkeyPatch, bound: str, add: Callable[[sqlite3.Connection, Act, int], int]
) -> None:
    """Half of what is kept about a thing; withdrawn or undone ones count. The rest is the others'."""
    for module in (words, decisions):
        monkeypatch.setattr(module, bound, 8, raising=False)
    db = bare()
    eve, ann, bob = (person(db, name, Role.ANALYST) for name in ("eve", "ann", "bob"))
    for n in range(4):
        add(db, eve, n)
    with pytest.raises(DeskError, match="of yours") as refused:
        add(db, eve, 4)
    assert refused.value.reason == "desk-full"
    for n in range(5, 8):
        add(db, ann, n)
    add(db, bob, 8)
    with pytest.raises(DeskError):
        add(db, bob, 9)
